"""What two or more functions need: the words, the ports, and one adapter per vendor."""

"""The catalog on Postgres: one module per port, each transition one transaction.

A transition locks the row that it decides about and tests its condition in a later statement, so that under READ COMMITTED
it sees everything that was committed before it got the lock.
"""

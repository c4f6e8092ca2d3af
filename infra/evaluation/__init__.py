"""How well a bot finds: questions with known answers, asked through the HTTP API, and measured by kept libraries."""

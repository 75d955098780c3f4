"""The console's routes that are no desk work: signing in, accounts, audit, jobs; and its page."""

"""Who works with it: people and their roles, passwords, second factors, sign-ins, and keys for programs."""

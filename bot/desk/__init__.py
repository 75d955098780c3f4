"""The desk: who is on duty, who takes which conversation from whom, what is said and noted in it, and which list it is in."""

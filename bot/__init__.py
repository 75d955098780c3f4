"""Ground floor: settings, database, conversations, tickets, people, masking.  Imports none of our other packages."""

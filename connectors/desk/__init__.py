"""The routes of those who sit at the hotline's desk."""

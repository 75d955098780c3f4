"""Telephone calls at the desk: begun, taken, heard line by line, ended, written up."""

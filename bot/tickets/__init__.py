"""Tickets (工单): numbers, states and legal moves, look-up by number and query code, deadlines.

Every change locks the ticket's row, checks the move against ``moves.MOVES``, and writes a ``TicketEvent`` and an audit entry
in the caller's transaction.  Whether a citizen may touch a ticket is settled before: by ``lookup.find``, or because the
ticket belongs to the conversation they write in.
"""

"""Versioned events, their types, and the stage table. Everything two services agree on is a name in here."""

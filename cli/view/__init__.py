"""How the commands show what the operations return: rows, timelines, prices, progress."""

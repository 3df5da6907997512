"""The yardsticks: handlers to compare with. Each is copied to a folder and run with only its packages."""

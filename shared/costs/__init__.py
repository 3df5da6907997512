"""What one run costs: dated prices as data, and a ledger over every hop. Pure: no AWS, no clock, no environment."""

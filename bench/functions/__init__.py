"""Each deployed function from its own bundle, under AWS's runtime client, beside three yardsticks."""

"""Operations on what runs cost and on the daily budget."""

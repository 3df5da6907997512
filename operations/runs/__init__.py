"""Operations that read runs: records, journeys, histories, logs."""

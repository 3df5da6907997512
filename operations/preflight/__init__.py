"""Operations on an account and a region before anything is deployed to them."""

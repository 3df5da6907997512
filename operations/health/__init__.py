"""Operations that judge and watch a deployment as a whole."""

"""Operations on dead-letter queues: list parked messages with their reasons, and replay or archive them."""

"""Operations: what a user can do with a deployment, as functions that print nothing, for a command line or a console.

    target = find_target("local")
    accepted = submit(target, Request(user_message="What is a monad?"))
    for journey in follow(target, accepted.pipeline_id): ...

Each operation takes a `Target`, returns typed values, and raises `OperationError`, whose text is meant for the user.
"""

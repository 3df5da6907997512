"""The doctor's checks, by subject. Each is a function of the model; `infra.doctor.table` lists all of them."""

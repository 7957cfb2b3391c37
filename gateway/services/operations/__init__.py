"""What operators of the platform do and look after. `gateway.services.breakers` is built on it."""

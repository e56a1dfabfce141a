from hypothesis import HealthCheck, settings

settings.register_profile(
    "soak", max_examples=50_000, deadline=None, suppress_health_check=list(HealthCheck)
)

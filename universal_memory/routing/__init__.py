"""From a question to the few memories that help: passports, router, index and gates."""

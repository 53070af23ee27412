"""Which cases a training has, whether they can be used, and their crops on the network's grid."""

from .table import NEEDED, ROLES, Case, Cohort, CohortError, read_cohort, write_cohort

__all__ = ["NEEDED", "ROLES", "Case", "Cohort", "CohortError", "read_cohort", "write_cohort"]

"""Users, groups and organizational units over LDAP, for tests.

What should be there is a :class:`~ldap_provision.plan.Plan`; :func:`~ldap_provision.provision.apply` brings it about and
may be called any number of times, also after a run that was killed half-way. Everything lives in one organizational
unit, which carries a mark, so that :func:`~ldap_provision.provision.remove` never removes what somebody else made.
"""

__version__ = "0.1.0"

"""``python -m ldap_provision``."""

import sys

from ldap_provision.cli import main

sys.exit(main())

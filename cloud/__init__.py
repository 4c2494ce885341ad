"""The cloud service: readings in; bills, maintenance and alarms out; the property system around them."""

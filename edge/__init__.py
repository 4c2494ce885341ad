"""The edge agent: one per building, from the field bus to a durable buffer to the cloud."""

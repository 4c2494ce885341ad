"""The one console command. It mounts what each room offers and imports a room only when asked for it."""

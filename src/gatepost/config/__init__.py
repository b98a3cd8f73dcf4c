"""What the administrator writes: settings of the process, and the objects of the gateway as text."""

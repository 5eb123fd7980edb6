"""galgen beside what users would pick instead; see README.md. No part of galgen needs it."""

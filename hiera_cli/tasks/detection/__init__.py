"""Finding what is where: objects in pictures, people's actions in videos, and how well."""

"""Is the person in this video filmed, or made by motion transfer?"""

"""Who publishes exchange rates: their protocols, their dates, the days on which they rest."""

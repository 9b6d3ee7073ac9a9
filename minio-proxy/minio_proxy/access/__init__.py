"""Who may: API keys, tokens, signed links, hosts, origins and limits."""

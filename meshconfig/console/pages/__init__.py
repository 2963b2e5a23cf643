"""The console's pages. Each module has its routes, and a `PAGE` that `meshconfig.console.registry` finds."""

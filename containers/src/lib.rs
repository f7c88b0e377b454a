//! Where a server comes from: an address, Docker through testcontainers, or a private local `smbd`.

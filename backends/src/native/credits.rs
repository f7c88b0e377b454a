//! Message ids and credits (MS-SMB2 3.2.4.1.2, 3.2.4.1.5): which ids a request takes, how many credits it costs, and
//! how many it asks for.

/// How many credits a connection tries to hold by default: enough for an 8 MiB read or write beside a few small requests of other
/// lanes, whatever was granted before.
const TARGET: u32 = 256;

/// The payload that one credit pays for, in bytes.
const UNIT: u32 = 65_536;

/// The ids and credits of one connection.
#[derive(Debug, Clone)]
pub(super) struct Credits {
    /// How many the connection tries to hold.
    target: u32,
    next_id: u64,
    available: u32,
    multi: bool,
}

impl Credits {
    /// A new connection has one credit, for NEGOTIATE (MS-SMB2 3.2.4.2.1).
    pub(super) fn new() -> Self {
        Self {
            target: TARGET,
            next_id: 0,
            available: 1,
            multi: false,
        }
    }

    /// How many to hold from now on, if the client's line says so.
    pub(super) fn set_target(&mut self, target: u16) {
        self.target = target.into();
    }

    /// NEGOTIATE has settled whether requests can cost more than one credit (Connection.SupportsMultiCredit).
    pub(super) fn set_multi(&mut self, multi: bool) {
        self.multi = multi;
    }

    /// What a request costs that sends or asks for at most `payload` bytes.
    pub(super) fn charge(&self, payload: u32) -> u16 {
        match self.multi {
            true => u16::try_from(payload.saturating_sub(1) / UNIT + 1).unwrap_or(u16::MAX),
            false => 1,
        }
    }

    /// CreditCharge for a request of this cost: reserved where there are no multi-credit requests.
    pub(super) fn charge_field(&self, charge: u16) -> u16 {
        if self.multi { charge } else { 0 }
    }

    /// Takes `charge` credits and as many ids; the first id, or `None` when there are too few.
    pub(super) fn take(&mut self, charge: u16) -> Option<u64> {
        self.available = self.available.checked_sub(charge.into())?;
        let id = self.next_id;
        self.next_id += u64::from(charge);
        Some(id)
    }

    /// What a request of this cost asks for: what it costs, and what is missing to a full purse.
    pub(super) fn ask(&self, charge: u16) -> u16 {
        let missing = self.target.saturating_sub(self.available);
        // Whoever holds as many as it wants asks for what it spends.
        u16::try_from(missing.max(charge.into())).unwrap_or(u16::MAX)
    }

    /// A response granted `count`.
    pub(super) fn grant(&mut self, count: u16) {
        // The bound is what MS-SMB2 lets a window grow to in practice; a server that grants without end gains nothing.
        self.available = self
            .available
            .saturating_add(count.into())
            .min(u32::from(u16::MAX));
    }

    /// What is left.
    pub(super) fn available(&self) -> u32 {
        self.available
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_pays_for_64_kib_where_the_server_knows_that() {
        let mut credits = Credits::new();
        assert_eq!(credits.charge(8 << 20), 1);
        assert_eq!(credits.charge_field(1), 0);
        credits.set_multi(true);
        for (payload, charge) in [
            (0, 1),
            (1, 1),
            (65_536, 1),
            (65_537, 2),
            (8 << 20, 128),
            (u32::MAX, u16::MAX),
        ] {
            assert_eq!(credits.charge(payload), charge, "{payload}");
            assert_eq!(credits.charge_field(charge), charge);
        }
    }

    #[test]
    fn ids_follow_the_charge_and_stop_with_the_credits() {
        let mut credits = Credits::new();
        assert_eq!(credits.take(1), Some(0));
        assert_eq!(credits.take(1), None);
        credits.grant(5);
        assert_eq!(credits.take(4), Some(1));
        assert_eq!(credits.take(2), None);
        assert_eq!(credits.take(1), Some(5));
        assert_eq!(credits.available(), 0);
    }

    #[test]
    fn a_small_purse_asks_for_little() {
        let mut credits = Credits::new();
        credits.set_target(2);
        credits.take(1);
        assert_eq!(credits.ask(1), 2);
        credits.grant(2);
        credits.take(1);
        assert_eq!(credits.ask(1), 1);
        assert_eq!(credits.ask(3), 3, "what a request costs is asked for again");
    }

    #[test]
    fn a_purse_fills_up_and_no_further() {
        let mut credits = Credits::new();
        credits.take(1);
        assert_eq!(u32::from(credits.ask(1)), TARGET);
        credits.grant(u16::MAX);
        credits.grant(u16::MAX);
        assert_eq!(credits.available(), u32::from(u16::MAX));
        assert_eq!(credits.ask(1), 1);
        assert_eq!(credits.ask(128), 128);
    }
}

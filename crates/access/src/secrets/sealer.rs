//! Lets the vault seal the second factors of accounts.

use berth_vault::Vault;

use crate::account::Sealer;

/// The vault seals second factors, too.
impl Sealer for Vault {
    fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, String> {
        self.seal(context, secret).map_err(|error| error.to_string())
    }

    fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        self.open(context, sealed).map(|secret| secret.to_vec()).map_err(|error| error.to_string())
    }
}

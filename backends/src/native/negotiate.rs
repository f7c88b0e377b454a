//! What a client offers in NEGOTIATE, and whether what the server chose is one of it (MS-SMB2 3.2.4.2.2, 3.2.5.2).

use smb_vocabulary::{ClientSettings, Encryption};
use smb_wire::messages::{
    IoctlRequest, IoctlResponse, NegotiateContext, NegotiateRequest, NegotiateResponse,
};
use smb_wire::{
    Capabilities, Cipher, CtlCode, Dialect, FileId, HashAlgorithm, IoctlFlags, Request,
    SecurityMode, SigningAlgorithm,
};

use super::group::Group;
use super::random;
use super::secure::Algorithms;

/// What is offered without a `cipher=`.
const CIPHERS: [Cipher; 4] = [
    Cipher::AES_128_GCM,
    Cipher::AES_128_CCM,
    Cipher::AES_256_GCM,
    Cipher::AES_256_CCM,
];

/// What is offered without a `signing-algorithm=`.
const SIGNING: [SigningAlgorithm; 3] = [
    SigningAlgorithm::AES_GMAC,
    SigningAlgorithm::AES_CMAC,
    SigningAlgorithm::HMAC_SHA256,
];

/// The size of VALIDATE_NEGOTIATE_INFO in an answer (MS-SMB2 2.2.32.6), in bytes.
const VALIDATION: usize = 24;

/// What a client offers.
pub(super) struct Offer {
    /// The request.
    pub(super) request: NegotiateRequest,
    ciphers: Vec<Cipher>,
    signing: Vec<SigningAlgorithm>,
}

impl Offer {
    /// As the client's line says.
    pub(super) fn new(settings: &ClientSettings<'_>, group: &Group, host: &str) -> Self {
        let dialects: Vec<_> = settings.dialects.list().collect();
        let or_default = |chosen: &[Cipher]| match chosen {
            [] => CIPHERS.to_vec(),
            chosen => chosen.to_vec(),
        };
        let ciphers = match settings.encryption {
            Encryption::Off => Vec::new(),
            Encryption::Offered | Encryption::Required => or_default(&settings.ciphers),
        };
        let signing = match &settings.signing_algorithms[..] {
            [] => SIGNING.to_vec(),
            chosen => chosen.to_vec(),
        };
        let mut security_mode = SecurityMode::SIGNING_ENABLED;
        security_mode.set(SecurityMode::SIGNING_REQUIRED, settings.signing_required);
        let max = settings.dialects.max;
        let multichannel = settings.multichannel || group.multichannel;
        let request = NegotiateRequest {
            security_mode,
            capabilities: capabilities(max, !ciphers.is_empty(), multichannel),
            client_guid: group.peers.client_guid,
            negotiate_contexts: match max {
                Dialect::SMB_3_1_1 => contexts(&ciphers, &signing, host),
                _ => Vec::new(),
            },
            dialects,
            ..Default::default()
        };
        Self {
            request,
            ciphers,
            signing,
        }
    }

    /// What the server chose; the error says what of it was not offered.
    pub(super) fn accept(&self, response: &NegotiateResponse) -> Result<Algorithms, String> {
        let dialect = response.dialect_revision;
        if !self.request.dialects.contains(&dialect) {
            return Err(format!(
                "the server chose dialect {dialect}, which was not offered"
            ));
        }
        if dialect != Dialect::SMB_3_1_1 {
            let encrypts = dialect >= Dialect::SMB_3_0
                && !self.ciphers.is_empty()
                && response.capabilities.contains(Capabilities::ENCRYPTION);
            return Ok(Algorithms {
                dialect,
                signing: match dialect >= Dialect::SMB_3_0 {
                    true => SigningAlgorithm::AES_CMAC,
                    false => SigningAlgorithm::HMAC_SHA256,
                },
                cipher: encrypts.then_some(Cipher::AES_128_CCM),
            });
        }
        let mut algorithms = Algorithms {
            dialect,
            signing: SigningAlgorithm::AES_CMAC,
            cipher: None,
        };
        let mut integrity = 0;
        for context in &response.negotiate_contexts {
            match context {
                NegotiateContext::PreauthIntegrity {
                    hash_algorithms, ..
                } => {
                    integrity += 1;
                    if hash_algorithms[..] != [HashAlgorithm::SHA_512] {
                        return Err(
                            "the server did not choose SHA-512 for the preauthentication hash"
                                .into(),
                        );
                    }
                }
                NegotiateContext::Encryption { ciphers } => {
                    let [cipher] = ciphers[..] else {
                        return Err(format!("the server chose {} ciphers", ciphers.len()));
                    };
                    if cipher != Cipher::NONE && !self.ciphers.contains(&cipher) {
                        return Err(format!(
                            "the server chose cipher {cipher}, which was not offered"
                        ));
                    }
                    algorithms.cipher = Some(cipher).filter(|cipher| *cipher != Cipher::NONE);
                }
                NegotiateContext::Signing { signing_algorithms } => match signing_algorithms[..] {
                    [algorithm] if self.signing.contains(&algorithm) => {
                        algorithms.signing = algorithm
                    }
                    _ => {
                        return Err(
                            "the server chose a signing algorithm that was not offered".into()
                        );
                    }
                },
                _ => {}
            }
        }
        match integrity {
            1 => Ok(algorithms),
            count => Err(format!(
                "{count} contexts for the preauthentication hash instead of one"
            )),
        }
    }

    /// Whether the negotiation is to be validated: when a 3.x client ended up below 3.1.1, whose hash covers it.
    pub(super) fn must_validate(&self, chosen: Dialect) -> bool {
        chosen < Dialect::SMB_3_1_1
            && self
                .request
                .dialects
                .iter()
                .any(|dialect| *dialect >= Dialect::SMB_3_0)
    }

    /// FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 2.2.31.4): what was offered once more.
    pub(super) fn validation(&self) -> Request {
        Request::Ioctl(IoctlRequest {
            ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
            file_id: FileId::RELATED,
            input: self.validate_info(),
            max_output_response: VALIDATION as u32,
            flags: IoctlFlags::IS_FSCTL,
            ..Default::default()
        })
    }

    /// VALIDATE_NEGOTIATE_INFO request (MS-SMB2 2.2.31.4).
    pub(super) fn validate_info(&self) -> Vec<u8> {
        let request = &self.request;
        let mut input = request.capabilities.bits().to_le_bytes().to_vec();
        input.extend(request.client_guid.0);
        input.extend(request.security_mode.bits().to_le_bytes());
        input.extend(
            u16::try_from(request.dialects.len())
                .unwrap_or(u16::MAX)
                .to_le_bytes(),
        );
        input.extend(
            request
                .dialects
                .iter()
                .flat_map(|dialect| dialect.0.to_le_bytes()),
        );
        input
    }
}

/// Connection.SupportsMultiCredit.
pub(super) fn is_multi_credit(response: &NegotiateResponse) -> bool {
    response.dialect_revision > Dialect::SMB_2_0_2
        && response.capabilities.contains(Capabilities::LARGE_MTU)
}

/// Whether the server says of the negotiation what the client saw (MS-SMB2 3.2.5.14.12).
pub(super) fn check_validation(
    response: &IoctlResponse,
    negotiated: &NegotiateResponse,
) -> Result<(), String> {
    let mut expected = negotiated.capabilities.bits().to_le_bytes().to_vec();
    expected.extend(negotiated.server_guid.0);
    expected.extend(negotiated.security_mode.bits().to_le_bytes());
    expected.extend(negotiated.dialect_revision.0.to_le_bytes());
    match response.output == expected {
        true => Ok(()),
        false => Err("the negotiation was meddled with: its validation says something else".into()),
    }
}

/// What a client can do that offers dialects up to `max`.
fn capabilities(max: Dialect, encrypts: bool, multichannel: bool) -> Capabilities {
    if max < Dialect::SMB_3_0 {
        return Capabilities::empty();
    }
    let mut capabilities = Capabilities::DFS
        | Capabilities::LEASING
        | Capabilities::LARGE_MTU
        | Capabilities::PERSISTENT_HANDLES
        | Capabilities::DIRECTORY_LEASING;
    capabilities.set(Capabilities::ENCRYPTION, encrypts);
    capabilities.set(Capabilities::MULTI_CHANNEL, multichannel);
    capabilities
}

fn contexts(ciphers: &[Cipher], signing: &[SigningAlgorithm], host: &str) -> Vec<NegotiateContext> {
    let integrity = NegotiateContext::PreauthIntegrity {
        hash_algorithms: vec![HashAlgorithm::SHA_512],
        salt: random::<32>().to_vec(),
    };
    let encryption = NegotiateContext::Encryption {
        ciphers: ciphers.to_vec(),
    };
    let signing = NegotiateContext::Signing {
        signing_algorithms: signing.to_vec(),
    };
    let name = NegotiateContext::NetName(host.into());
    let mut contexts = vec![integrity];
    contexts.extend((!ciphers.is_empty()).then_some(encryption));
    contexts.extend([signing, name]);
    contexts
}

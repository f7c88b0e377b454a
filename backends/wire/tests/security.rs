//! Security descriptors: bytes and text both ways, known bytes, and bytes of a hostile server.

mod common;

use common::unhex;
use proptest::prelude::*;
use smb_wire::security::{
    Ace, AceBody, AceFlags, AceType, Acl, SecurityControl, SecurityDescriptor, Sid, sddl,
};
use smb_wire::{AccessMask, Guid};

fn nobody(_: &Sid) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<SecurityDescriptor, sddl::BadSddl> {
    sddl::parse(text, &mut |_| None)
}

fn sid() -> impl Strategy<Value = Sid> {
    let some = (
        0_u64..1 << 48,
        proptest::collection::vec(any::<u32>(), 0..16),
    );
    let any = some.prop_map(|(authority, subs)| Sid::new(authority, &subs).expect("it fits"));
    let known = prop_oneof![
        Just("S-1-1-0"),
        Just("S-1-5-18"),
        Just("S-1-5-32-544"),
        Just("S-1-16-8192")
    ];
    prop_oneof![any, known.prop_map(|text| text.parse().expect("a SID"))]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<[u8; 4]>(), 0..6).prop_map(|words| words.concat()),
    ]
}

fn ace() -> impl Strategy<Value = Ace> {
    let guid = || proptest::option::of(any::<[u8; 16]>().prop_map(Guid));
    let plain = (
        prop_oneof![0_u8..4, Just(9), Just(0x0E), 0x11_u8..0x14],
        any::<u32>(),
        sid(),
        data(),
    );
    let plain = plain.prop_map(|(kind, mask, sid, data)| {
        let mask = AccessMask::from_bits_retain(mask);
        (kind, AceBody::Plain { mask, sid, data })
    });
    let object = (
        prop_oneof![5_u8..9, 0x0B_u8..0x0D],
        any::<u32>(),
        guid(),
        guid(),
        sid(),
        data(),
    );
    let object = object.prop_map(
        |(kind, mask, object_type, inherited_object_type, sid, data)| {
            let mask = AccessMask::from_bits_retain(mask);
            (
                kind,
                AceBody::Object {
                    mask,
                    object_type,
                    inherited_object_type,
                    sid,
                    data,
                },
            )
        },
    );
    let other = (prop_oneof![Just(4_u8), 0x14_u8..=0xFF], data());
    let other = other.prop_map(|(kind, data)| (kind, AceBody::Other(data)));
    (any::<u8>(), prop_oneof![plain, object, other]).prop_map(|(flags, (kind, body))| Ace {
        ace_type: AceType(kind),
        flags: AceFlags::from_bits_retain(flags),
        body,
    })
}

fn acl() -> impl Strategy<Value = Option<Acl>> {
    proptest::option::of(proptest::collection::vec(ace(), 0..5).prop_map(Acl::new))
}

prop_compose! {
    fn descriptor()(
        control in any::<u16>(),
        owner in proptest::option::of(sid()),
        group in proptest::option::of(sid()),
        sacl in acl(),
        dacl in acl(),
    ) -> SecurityDescriptor {
        let mut control = SecurityControl::from_bits_retain(control) | SecurityControl::SELF_RELATIVE;
        // A list that is there is announced; one that is not may be, as a NULL list.
        if dacl.is_some() {
            control |= SecurityControl::DACL_PRESENT;
        }
        if sacl.is_some() {
            control |= SecurityControl::SACL_PRESENT;
        }
        SecurityDescriptor { control, owner, group, sacl, dacl }
    }
}

proptest! {
    #[test]
    fn bytes_go_both_ways(descriptor in descriptor()) {
        let mut bytes = Vec::new();
        descriptor.encode(&mut bytes);
        prop_assert_eq!(SecurityDescriptor::decode(&bytes), Ok(descriptor));
    }

    /// Control bits that SDDL has no word for are all that a text loses.
    #[test]
    fn text_goes_both_ways(descriptor in descriptor()) {
        let words = SecurityControl::DACL_PRESENT | SecurityControl::DACL_PROTECTED
            | SecurityControl::DACL_AUTO_INHERIT_REQ | SecurityControl::DACL_AUTO_INHERITED
            | SecurityControl::SACL_PRESENT | SecurityControl::SACL_PROTECTED
            | SecurityControl::SACL_AUTO_INHERIT_REQ | SecurityControl::SACL_AUTO_INHERITED;
        let mut expected = SecurityDescriptor { control: descriptor.control & words, ..descriptor };
        if !expected.control.contains(SecurityControl::DACL_PRESENT) {
            expected.control &= words - (SecurityControl::DACL_PROTECTED
                | SecurityControl::DACL_AUTO_INHERIT_REQ | SecurityControl::DACL_AUTO_INHERITED);
        }
        if !expected.control.contains(SecurityControl::SACL_PRESENT) {
            expected.control &= words - (SecurityControl::SACL_PROTECTED
                | SecurityControl::SACL_AUTO_INHERIT_REQ | SecurityControl::SACL_AUTO_INHERITED);
        }
        let text = sddl::write(&expected, &nobody);
        prop_assert_eq!(parse(&text), Ok(expected), "{}", text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(descriptor) = SecurityDescriptor::decode(&bytes) {
            let _ = sddl::write(&descriptor, &nobody);
        }
        let _ = Acl::decode(&bytes);
        let _ = Sid::decode(&bytes);
    }

    /// A sound descriptor with some bytes changed, which goes deeper than random ones.
    #[test]
    fn damaged_bytes_are_read_or_refused(
        descriptor in descriptor(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        descriptor.encode(&mut bytes);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = SecurityDescriptor::decode(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = SecurityDescriptor::decode(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([OGDS]:|[A-Z;()$:0-9x-]|hex:|S-1-5|WD|é){0,40}") {
        if let Ok(descriptor) = parse(&text) {
            let written = sddl::write(&descriptor, &nobody);
            prop_assert_eq!(parse(&written), Ok(descriptor), "{}", text);
        }
    }
}

/// What a Windows server sends of `O:BAG:SYD:PAI(A;OICI;FA;;;BA)(D;;FW;;;WD)`.
#[test]
fn known_bytes_are_read() {
    let bytes = unhex(
        "0100049414000000240000000000000030000000\
         01020000000000052000000020020000\
         010100000000000512000000\
         0200340002000000\
         00031800ff011f0001020000000000052000000020020000\
         010014001601120001010000000000010000000000",
    );
    let descriptor = SecurityDescriptor::decode(&bytes).expect("a descriptor");
    assert_eq!(
        sddl::write(&descriptor, &nobody),
        "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(D;;FW;;;WD)"
    );
}

#[test]
fn an_absent_list_is_not_an_empty_one_and_not_a_null_one() {
    for (text, present, dacl) in [
        ("O:BA", false, None),
        ("O:BAD:", true, Some(0)),
        ("O:BAD:NO_ACCESS_CONTROL", true, None),
        ("O:BAD:PNO_ACCESS_CONTROL", true, None),
        ("O:BAD:(A;;FA;;;WD)", true, Some(1)),
    ] {
        let descriptor = parse(text).expect(text);
        assert_eq!(
            descriptor.control.contains(SecurityControl::DACL_PRESENT),
            present,
            "{text}"
        );
        assert_eq!(
            descriptor.dacl.as_ref().map(|acl| acl.aces.len()),
            dacl,
            "{text}"
        );
        let mut bytes = Vec::new();
        descriptor.encode(&mut bytes);
        let decoded = SecurityDescriptor::decode(&bytes).expect(text);
        assert_eq!(sddl::write(&decoded, &nobody), text);
    }
}

#[test]
fn rights_have_one_canonical_form() {
    for (text, canonical) in [
        ("D:(A;;0x1f01ff;;;S-1-1-0)", "D:(A;;FA;;;WD)"),
        ("D:(A;CIOI;FRFW;;;SY)", "D:(A;OICI;0x12019f;;;SY)"),
        ("D:(A;;CCDCLC;;;AU)", "D:(A;;0x7;;;AU)"),
        ("S:(ML;;NW;;;ME)", "S:(ML;;NW;;;ME)"),
        ("D:(A;;2032127;;;BU)", "D:(A;;FA;;;BU)"),
        ("D:AIP(A;ID;GA;;;CO)", "D:PAI(A;ID;GA;;;CO)"),
    ] {
        let descriptor = parse(text).expect(text);
        assert_eq!(sddl::write(&descriptor, &nobody), canonical);
    }
}

#[test]
fn names_end_before_the_next_part() {
    let alice: Sid = "S-1-5-21-9-8-7-1001".parse().expect("a SID");
    let mut asked = Vec::new();
    let descriptor = sddl::parse("O:$aliceG:$aliceD:(A;;FR;;;$alice)", &mut |name| {
        asked.push(name.to_owned());
        Some(alice.clone())
    });
    let descriptor = descriptor.expect("sound");
    assert_eq!(asked, ["alice", "alice", "alice"]);
    let name = |sid: &Sid| (*sid == alice).then(|| "alice".to_owned());
    assert_eq!(
        sddl::write(&descriptor, &name),
        "O:$aliceG:$aliceD:(A;;FR;;;$alice)"
    );
}

#[test]
fn what_is_no_sddl_is_refused_with_the_way_out() {
    for (text, hint) in [
        ("X:BA", "`O:`"),
        ("O:BAO:BA", "twice"),
        ("O:XX", "WD, BA or SY"),
        ("O:$bob", "not known"),
        ("O:$", "no name"),
        ("D:(A;;FA;;WD)", "parts"),
        ("D:(A;;QQ;;;WD)", "no right"),
        ("D:(A;ZZ;FA;;;WD)", "flag of an entry"),
        ("D:(A;;FA;;;WD", "parentheses"),
        ("D:X(A;;FA;;;WD)", "flag of a list"),
        ("D:NO_ACCESS_CONTROL(A;;FA;;;WD)", "no entries"),
        ("D:(XA;;FA;;;WD;(1==1))", "hex:"),
        ("D:(XA;;FA;;;WD;1)", "hex:"),
        ("D:(A;;FA;{};;WD)", "object"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(hint), "{text}: {error}");
    }
}

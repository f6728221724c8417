//! The codes with which Microsoft's sign-in refuses, and what an administrator does about each.
//!
//! The numbers are Microsoft's (reference of error codes, 2024); 900023, 70021 and 700211 to 700213 are general knowledge, and 700024 and
//! 1002012 were seen by others. What it cannot see: which Conditional Access policy it was; the sign-in log of the tenant knows, under the correlation id.

/// What to do about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// A sentence for the administrator.
    pub sentence: &'static str,
    /// What mailflow itself does.
    pub then: Then,
}

/// What follows for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing helps until somebody has changed something.
    Stop,
    /// The service is busy: later it may go.
    TryLater,
    /// A person has not finished signing in.
    Wait,
}

/// The advice for `code`, where there is one.
pub fn advice(code: u32) -> Option<Advice> {
    let (sentence, then) = match code {
        70016 => ("The sign-in in the browser is not finished.", Then::Wait),
        90055 | 50196 | 90024 | 90033 => (
            "Microsoft's sign-in is busy or asks us to slow down. Nothing to do: mailflow tries again.",
            Then::TryLater,
        ),
        _ => (
            of_the_app(code).or_else(|| of_the_tenant(code)).or_else(|| of_the_account(code))?,
            Then::Stop,
        ),
    };
    Some(Advice { sentence, then })
}

/// The app registration and what it proves itself with.
fn of_the_app(code: u32) -> Option<&'static str> {
    Some(match code {
        7_000_215 => "The client secret is wrong. Copy the secret's value, not its id, and see that it belongs to this app.",
        7_000_222 => "The client secret has expired. Create a new one, or change to a certificate.",
        7_000_218 => {
            "The app must prove itself: give it a secret or a certificate. For the device code, switch on 'Allow public client flows' in its settings."
        }
        700_016 => {
            "The tenant does not know this app. Check the tenant, the client id and the cloud, and that an administrator consented to the app there."
        }
        7_000_112 | 70001 => "The app is disabled in this tenant. Enable it under Enterprise applications.",
        700_027 => {
            "The certificate does not fit the app. Upload exactly this certificate to the app registration, and see that it has not expired."
        }
        700_024 | 500_133 => "The times in the assertion do not hold: the clock of this machine is wrong. Set it by NTP.",
        50012 | 700_030 => "The certificate is not accepted. Upload the one that belongs to this key to the app registration.",
        70021 | 700_229 => {
            "No federated credential of the app fits the token. Issuer, subject and audience must be the same in both, letter by letter."
        }
        700_211 => "No federated credential of the app has the token's issuer. Both must be the same, letter by letter.",
        700_212 => "No federated credential of the app has the token's audience. Both must be the same, letter by letter.",
        700_213 => {
            "No federated credential of the app has the token's subject (for GitHub: repository and branch or environment). Both must be the same, letter by letter."
        }
        _ => return None,
    })
}

/// The tenant, its resources and what was consented to.
fn of_the_tenant(code: u32) -> Option<&'static str> {
    Some(match code {
        90002 => "There is no such tenant in this cloud. Check its name, or choose the cloud in which it lives.",
        900_023 | 50059 | 90013 => "The tenant's name cannot be read. Give its GUID or one of its verified domains.",
        90038 => "The tenant lives in a national cloud. Choose that cloud for it.",
        500_011 | 650_057 | 65005 => {
            "The app may not ask for this resource in this tenant. Add the API permission to the app registration."
        }
        1_002_012 | 70011 | 28002 => "The scope is wrong: an app asks for exactly one resource with /.default at its end.",
        700_022 => "One token was asked for several resources. Each needs its own.",
        65001 | 650_056 | 90094 => "Nobody has consented to the app's permissions. An administrator of the tenant must grant them once.",
        50105 => "The account is not assigned to the app. Assign it under Enterprise applications, Users and groups.",
        53003 | 53000 | 53001 | 530_032 | 530_035 => {
            "A Conditional Access policy or the security defaults block this sign-in. Except this app there, or sign in as an app with a certificate."
        }
        _ => return None,
    })
}

/// The person who signs in with a device code.
fn of_the_account(code: u32) -> Option<&'static str> {
    Some(match code {
        50034 | 51004 => "This tenant has no such account.",
        50055 => "The account's password has expired. Change it, then sign in again.",
        50056 => "The account has no password to sign in with.",
        50126 => "The account or its password is wrong.",
        50053 => "The account is locked after too many wrong passwords, or the sign-in came from a blocked address.",
        50057 => "The account is disabled.",
        50076 | 50079 | 50072 | 50074 => "The sign-in needs a second factor. Sign in again, and confirm with it.",
        50173 | 70008 | 700_082 | 70043 => "The sign-in has lapsed. Sign in again.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_field_has_its_sentence() {
        let known = [
            7_000_215, 7_000_222, 7_000_218, 700_016, 7_000_112, 70001, 700_027, 700_024, 500_133, 50012, 700_030, 90002, 900_023, 50059,
            90013, 90038, 500_011, 650_057, 65005, 1_002_012, 70011, 28002, 700_022, 65001, 650_056, 90094, 50034, 51004, 50055, 50056,
            50126, 50053, 50057, 50076, 50079, 50072, 50074, 53003, 53000, 53001, 530_032, 530_035, 50105, 50173, 70008, 700_082, 70043,
            70016, 70021, 700_211, 700_212, 700_213, 700_229, 90055, 50196, 90024, 90033,
        ];
        for code in known {
            let advice = advice(code).unwrap_or_else(|| panic!("no advice for {code}"));
            assert!(
                advice.sentence.ends_with('.') && advice.sentence.len() < 200,
                "{code}: {}",
                advice.sentence
            );
        }
        assert_eq!(advice(1), None);
    }

    #[test]
    fn only_a_busy_service_is_asked_again() {
        assert_eq!(advice(50196).unwrap().then, Then::TryLater);
        assert_eq!(advice(70016).unwrap().then, Then::Wait);
        assert_eq!(advice(7_000_215).unwrap().then, Then::Stop);
    }
}

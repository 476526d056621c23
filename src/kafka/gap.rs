//! An adapter with a gap, for the tests of dead letters: an event that is known today and was not yet when it was set aside.
//! Only a build with debug assertions can have one; no other build looks at the variable.

use crate::vendors::Adapter;

/// The adapter as it is; where `FORGOTTEN_EVENT` names an event, one that doesn't know it.
#[cfg(debug_assertions)]
pub(super) fn in_tests(adapter: &'static Adapter) -> &'static Adapter {
    static ADAPTERS: std::sync::LazyLock<Option<[Adapter; 3]>> = std::sync::LazyLock::new(|| {
        FORGOTTEN.as_ref()?;
        let [first, second, third] = crate::vendors::ADAPTERS;
        Some([
            Adapter { normalize: forgetful::<0>, read_usual: None, ..*first },
            Adapter { normalize: forgetful::<1>, read_usual: None, ..*second },
            Adapter { normalize: forgetful::<2>, read_usual: None, ..*third },
        ])
    });
    let forgetful = ADAPTERS.as_ref().and_then(|all| all.iter().find(|forgetful| forgetful.vendor == adapter.vendor));
    forgetful.unwrap_or(adapter)
}

#[cfg(debug_assertions)]
static FORGOTTEN: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("FORGOTTEN_EVENT").ok());

#[cfg(debug_assertions)]
fn forgetful<'a, const VENDOR: usize>(
    item: &crate::vendors::Item<'a>,
) -> Result<crate::event::Event<'a>, crate::reject::Reject> {
    let event = (crate::vendors::ADAPTERS[VENDOR].normalize)(item)?;
    if FORGOTTEN.as_deref() == Some(event.vendor_event) {
        return Err(crate::reject::Reject::unknown_event("the body is no event of the catalogue"));
    }
    Ok(event)
}

/// The adapter as it is.
#[cfg(not(debug_assertions))]
pub(super) const fn in_tests(adapter: &'static Adapter) -> &'static Adapter {
    adapter
}

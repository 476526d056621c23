//! MOBtexting's rows of the catalogue.

use crate::event::Channel;
use crate::vendors::Row;

pub const SMS_STATUS: &str = "sms:message:status";

pub const ROWS: &[Row] = &[Row::new(SMS_STATUS, Channel::Sms, "message.status")];

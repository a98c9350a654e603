// SPDX-License-Identifier: GPL-2.0

//! Making objects, and their end.

use super::templates::{self, bytes, Choice, Kind, KINDS};
use super::{are_of_one, password, sized, Blob, Generator, Item, OBJECTS};
use crate::oracle::codes;
use crate::oracle::program::{Call, Named, Part};
use crate::oracle::seat::client_of;
use crate::tpm::{cc, rh};
use crate::wire::Put;

/// How often a primary key is an RSA key, once in so many: a TPM takes long to make one.
const RSA_PRIMARY: usize = 80;

impl Generator {
    pub(super) fn create_primary(&mut self, who: usize) {
        if self.count(who) >= OBJECTS {
            return self.flush_object(who);
        }
        let hierarchy = [
            rh::OWNER,
            rh::OWNER,
            rh::NULL,
            rh::ENDORSEMENT,
            rh::PLATFORM,
        ];
        let hierarchy = hierarchy[self.dice.below(5)];
        let kind = match self.dice.below(8) {
            0..=2 => KINDS[self.dice.below(KINDS.len())],
            _ if self.dice.once_in(RSA_PRIMARY) => Kind::RsaStorage,
            _ => Kind::Storage,
        };
        let auth = self.auth_value();
        let secret = self.label("secret");
        let choice = Choice {
            unique: match kind {
                // Which of a few it is.
                Kind::Storage | Kind::Signing | Kind::Exchange => {
                    vec![u8::try_from(self.dice.below(4)).unwrap_or_default(); 4]
                }
                _ => vec![],
            },
            is_protected: self.dice.once_in(8),
            ..Choice::default()
        };
        let register = self.register();
        let mut call = Call {
            code: cc::CREATE_PRIMARY,
            handles: vec![Named::Fixed(hierarchy)],
            auths: vec![self.by_hierarchy(who, hierarchy)],
            params: vec![
                templates::sensitive(kind, &auth, &secret),
                templates::public(kind, &choice),
                sized(b"outside"),
                bytes(vec![].u32(0)),
            ],
            into: Some(register),
            ..Call::default()
        };
        self.protect(who, &mut call);
        let origin = Call {
            auths: vec![password(&self.hierarchy_auth(hierarchy))],
            into: None,
            ..call.clone()
        };
        self.push(who, call);
        self.items.push(Item {
            register,
            who,
            kind,
            auth,
            hierarchy,
            exact: false,
            origin: Some(origin),
            policy: None,
        });
    }

    fn parent(&mut self, who: usize) -> Option<Item> {
        self.own(who, |item| {
            matches!(item.kind, Kind::Storage | Kind::RsaStorage) && item.policy.is_none()
        })
    }

    pub(super) fn create(&mut self, who: usize) {
        let Some(parent) = self.parent(who) else {
            return self.create_primary(who);
        };
        let kind = KINDS[self.dice.below(KINDS.len())];
        let choice = Choice {
            is_protected: self.dice.once_in(8),
            ..Choice::default()
        };
        self.create_as(&parent, kind, &choice);
    }

    /// Creates a child, and perhaps loads it at once. What was created.
    pub(super) fn create_as(&mut self, parent: &Item, kind: Kind, choice: &Choice) -> Blob {
        let who = parent.who;
        let auth = self.auth_value();
        let secret = self.label("secret");
        let register = self.register();
        let is_loaded =
            self.count(who) < OBJECTS && choice.policy.is_none() && self.dice.once_in(4);
        let mut params = vec![
            templates::sensitive(kind, &auth, &secret),
            templates::public(kind, choice),
        ];
        if !is_loaded {
            params.extend([sized(b"outside"), bytes(vec![].u32(0))]);
        }
        let code = if is_loaded {
            codes::CREATE_LOADED
        } else {
            cc::CREATE
        };
        let mut call = Call {
            code,
            handles: vec![Named::Of(parent.register)],
            auths: vec![self.by_item(parent, code)],
            params,
            into: Some(register),
            ..Call::default()
        };
        self.protect(who, &mut call);
        self.push(who, call);
        let item = Item {
            register,
            who,
            kind,
            auth,
            hierarchy: parent.hierarchy,
            exact: false,
            origin: None,
            policy: None,
        };
        if is_loaded {
            self.items.push(item.clone());
        }
        let blob = Blob {
            private: Part::Field(register, 0),
            public: Part::Field(register, 1),
            client: client_of(who),
            parent: parent.register,
            item,
        };
        self.blobs.push(blob.clone());
        blob
    }

    pub(super) fn load(&mut self, who: usize) {
        if self.count(who) >= OBJECTS {
            return self.flush_object(who);
        }
        let own = |blob: &&Blob| blob.client == client_of(who);
        let own: Vec<Blob> = self.blobs.iter().filter(own).cloned().collect();
        let Some(blob) = self.dice.pick(&own) else {
            return self.create(who);
        };
        // Mostly under the right parent, on the descriptor that has it.
        let parent = self.items.iter().find(|item| item.register == blob.parent);
        let parent = match parent.cloned() {
            Some(parent) if !self.dice.once_in(10) => Some(parent),
            _ => self.parent(who),
        };
        if let Some(parent) = parent {
            self.load_under(&parent, &blob);
        }
    }

    /// Loads a child; what it then is.
    pub(super) fn load_under(&mut self, parent: &Item, blob: &Blob) -> Item {
        let who = parent.who;
        let register = self.register();
        let call = Call {
            code: cc::LOAD,
            handles: vec![Named::Of(parent.register)],
            auths: vec![self.by_item(parent, cc::LOAD)],
            params: vec![
                Part::Sized(vec![blob.private.clone()]),
                Part::Sized(vec![blob.public.clone()]),
            ],
            into: Some(register),
            ..Call::default()
        };
        self.push(who, call);
        let item = Item {
            register,
            who,
            ..blob.item.clone()
        };
        self.items.push(item.clone());
        item
    }

    pub(super) fn load_external(&mut self, who: usize) {
        if self.count(who) >= OBJECTS {
            return self.flush_object(who);
        }
        let register = self.register();
        let kind = [Kind::Mac, Kind::Cipher, Kind::Rsa][self.dice.below(3)];
        let auth = self.auth_value();
        let key = self.label("key");
        let mut params = templates::external(kind, &auth, &key);
        params.push(bytes(vec![].u32(rh::NULL)));
        let call = Call {
            code: cc::LOAD_EXTERNAL,
            params,
            into: Some(register),
            exact: true,
            ..Call::default()
        };
        self.push(who, call);
        self.items.push(Item {
            register,
            who,
            kind,
            auth,
            hierarchy: rh::NULL,
            exact: true,
            origin: None,
            policy: None,
        });
    }

    pub(super) fn flush_object(&mut self, who: usize) {
        let Some(item) = self.own(who, |_| true) else {
            return self.create_primary(who);
        };
        let call = Call {
            code: cc::FLUSH_CONTEXT,
            params: vec![Part::Handle(item.register)],
            ..Call::default()
        };
        self.push(who, call);
        // Some clients use what is gone.
        if !self.dice.once_in(5) {
            self.items.retain(|other| other.register != item.register);
        }
    }

    /// Duplicates a key under the null parent, and imports what comes of it.
    pub(super) fn duplicate(&mut self, parent: &Item) {
        let who = parent.who;
        let Some(policy) = self.policy_digest(who, &[super::Assertion::Code(codes::DUPLICATE)])
        else {
            return;
        };
        let choice = Choice {
            policy: Some(policy),
            can_leave: true,
            ..Choice::default()
        };
        let kind = [Kind::Signing, Kind::Mac, Kind::Cipher][self.dice.below(3)];
        let blob = self.create_as(parent, kind, &choice);
        let item = self.load_under(parent, &blob);
        let copy = self.register();
        let call = Call {
            code: codes::DUPLICATE,
            handles: vec![Named::Of(item.register), Named::Fixed(rh::NULL)],
            auths: vec![self.by_policy(
                &item,
                &[super::Assertion::Code(codes::DUPLICATE)],
                codes::DUPLICATE,
            )],
            params: vec![sized(b""), bytes(vec![].u16(codes::alg::NULL))],
            into: Some(copy),
            ..Call::default()
        };
        self.push(who, call);
        let imported = self.register();
        let call = Call {
            code: codes::IMPORT,
            handles: vec![Named::Of(parent.register)],
            auths: vec![self.by_item(parent, codes::IMPORT)],
            params: vec![
                sized(b""),
                Part::Sized(vec![blob.public.clone()]),
                Part::Sized(vec![Part::Field(copy, 1)]),
                sized(b""),
                bytes(vec![].u16(codes::alg::NULL)),
            ],
            into: Some(imported),
            ..Call::default()
        };
        self.push(who, call);
        let again = Blob {
            private: Part::Field(imported, 0),
            ..blob
        };
        self.blobs.push(again);
    }

    /// Gives a key another authorization value.
    pub(super) fn change_auth(&mut self, item: &Item) {
        let blob = self.blobs.iter().find(|blob| {
            blob.item.kind == item.kind
                && are_of_one(blob.item.who, item.who)
                && blob.item.auth == item.auth
        });
        let Some(blob) = blob.cloned() else {
            return;
        };
        let register = self.register();
        let auth = self.label("new");
        let mut call = Call {
            code: codes::OBJECT_CHANGE_AUTH,
            handles: vec![Named::Of(item.register), Named::Of(blob.parent)],
            auths: vec![self.by_item(item, codes::OBJECT_CHANGE_AUTH)],
            params: vec![sized(&auth)],
            into: Some(register),
            ..Call::default()
        };
        self.protect(item.who, &mut call);
        self.push(item.who, call);
        let item = Item {
            auth,
            ..blob.item.clone()
        };
        self.blobs.push(Blob {
            private: Part::Field(register, 0),
            item,
            ..blob
        });
    }
}

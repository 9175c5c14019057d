//! Into whose place somebody can't come, by a password or a log-in of theirs, who may manage people: whose conversations they do not see.

use e2e::{Tenant, World};
use serde_json::json;

use super::team;
use crate::inbox::id;

/// Somebody who sees as far as that, and may do these things besides.
async fn who_sees(acme: &Tenant, name: &str, scope: &str, besides: &[&str]) -> Tenant {
    let permissions: Vec<&str> = ["conversations.view"].iter().chain(besides).copied().collect();
    let role = json!({ "name": name, "permissions": permissions, "scopes": { "conversations.view": scope } });
    acme.colleague(name, &id(&acme.post("/roles", &role).await.expect(201))).await
}

/// ADM-03
#[tokio::test]
async fn nobody_comes_into_the_place_of_a_colleague_whose_conversations_they_do_not_see() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let hugo = who_sees(&acme, "Hugo", "own", &["admin.users_manage"]).await;
    let pia = who_sees(&acme, "Pia", "own", &[]).await;
    let tea = who_sees(&acme, "Tea", "team", &[]).await;
    let lea = who_sees(&acme, "Lea", "team", &["admin.users_manage"]).await;
    team(&acme, "Ventas", &[&pia, &tea, &lea]).await;
    let ways = async |who: &Tenant, into: &Tenant| {
        let path = format!("/users/{}", into.user_id().await);
        [
            who.act(&format!("{path}/password-reset")).await,
            who.act(&format!("{path}/invitation")).await,
            who.delete(&format!("{path}/second-factor")).await,
        ]
    };
    // what Tea sees of her teams may be of one in which Lea is not
    for (who, into) in [(&hugo, &pia), (&hugo, &tea), (&lea, &hugo), (&lea, &tea)] {
        for refused in ways(who, into).await {
            assert_eq!((refused.status.as_u16(), refused.code()), (409, "role_beyond_own"), "{}", refused.text);
        }
    }
    // what is Pia's is seen by Lea anyhow, and what is Hugo's by himself
    for (who, into) in [(&lea, &pia), (&hugo, &hugo), (&acme, &tea)] {
        let [reset, again, factor] = ways(who, into).await;
        let given = (reset.status.as_u16(), again.code(), factor.status.as_u16());
        assert_eq!(given, (200, "not_invited", 204), "{} {}", reset.text, factor.text);
    }
    world.finish().await;
}

/// What was theirs is nobody's then, which every team sees.
#[tokio::test]
async fn a_team_comes_by_nothing_of_another_s_by_taking_their_access_away() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let lea = who_sees(&acme, "Lea", "team", &["admin.users_manage"]).await;
    let (pia, leo) = (who_sees(&acme, "Pia", "own", &[]).await, who_sees(&acme, "Leo", "own", &[]).await);
    team(&acme, "Ventas", &[&pia, &lea]).await;
    let away = async |who: &Tenant, whose: &Tenant| {
        who.patch(&format!("/users/{}", whose.user_id().await), &json!({ "is_active": false })).await
    };
    assert_eq!(away(&lea, &leo).await.code(), "role_beyond_own");
    for (who, whose) in [(&lea, &pia), (&acme, &leo)] {
        away(who, whose).await.expect(200);
    }
    world.finish().await;
}

"""What the pages of community and town say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {
    "town_title": ("各小区情况", "Compounds at a glance"),
    "town_as_of": ("截至", "As of"),
    "town_oldest": ("最早的一项统计于{at}", "the oldest count is of {at}"),
    "town_count": ("现在重新统计", "Count now"),
    "town_old": (
        "部分数字超过10分钟，正在分批更新，再打开一次就是新的。",
        "Some numbers are older than 10 minutes. A few are counted with each opening of this page.",
    ),
    "town_never": ("未统计", "not counted yet"),
    "town_compound": ("小区", "Compound"),
    "town_community": ("社区", "Community"),
    "town_no_community": ("未归社区", "No community"),
    "town_subtotal": ("小计", "Subtotal"),
    "town_total": ("合计", "Total"),
    "town_share": ("申请率", "Applied, %"),
    "town_share_long": ("应申请的房屋中已申请的比例", "Of the dwellings that have to apply, those that did"),
    "town_counted": ("统计时间", "Counted"),
    "town_home_first": ("未设", "not set"),
    "town_col.dwellings": ("房屋（套）", "Dwellings"),
    "town_col.occupied": ("有人住（套）", "Occupied"),
    "town_col.applied": ("已申请（套）", "Applied"),
    "town_col.collected": ("已领证（套）", "Collected"),
    "town_col.missing": ("未申请（套）", "Not applied"),
    "town_col.owners": ("业主（户）", "Owner households"),
    "town_col.tenants": ("租户（户）", "Tenant households"),
    "town_col.people": ("人数", "People"),
    "town_col.here": ("本地户籍（人）", "Registered here"),
    "town_col.elsewhere": ("外地户籍（人）", "Registered elsewhere"),
    "town_col.known": ("原已掌握（人）", "Known before"),
    "town_col.new": ("新发现（人）", "Newly found"),
    "town_col.vehicles": ("车辆", "Vehicles"),
    # What the numbers count and leave out
    "town_what": ("这些数字怎么算，没算什么", "What the numbers count, and what they leave out"),
    "town_what.people": (
        "人数：在册户里的人，按证件每人只算一次。",
        "People: those of households on the register, each document once.",
    ),
    "town_what.twice": (
        "合计里，{n}人在不止一个小区，也只算一次。",
        "In the total, people who are in more than one compound are counted once, too: {n}.",
    ),
    "town_what.paperless": (
        "没有证件的孩子{n}人，按次计，同一个孩子可能算两次。",
        "Children without a document are counted singly, and the same child may be there twice: {n}.",
    ),
    "town_what.occupied": (
        "有人住：有申请的，加上上门见到人的。没人应门的房屋不在内，实际可能更多。",
        "Occupied: dwellings with an application, and those where a visit met somebody. Where nobody answered is not "
        "in it; there may be more.",
    ),
    "town_what.owners": (
        "业主户：户里有业主；租户：没有业主、有租户。其余的户两栏都不算。",
        "Owner household: an owner is in it. Tenant household: no owner, but a tenant. Others are in neither column.",
    ),
    "town_what.share": (
        "申请率 = 已申请 ÷（已申请 + 未申请 + 拒绝办理）。"
        "空置{vacant}套、不住这里或已搬走{moved}套不算在内；拒绝办理{refused}套算在内。",
        "Applied, % = applied ÷ (applied + not applied + refused). Not in it: vacant dwellings ({vacant}) and those "
        "whose people live elsewhere ({moved}). In it: those that refused ({refused}).",
    ),
    "town_what.loose": (
        "{n}户的房号不在房号表：人算在内，房屋不算。",
        "Households whose room is not in the register: {n}. Their people are counted, no dwelling is.",
    ),
    "town_what.waiting": (
        "{n}户还没有审核通过，已算在申请里，内容未经核对。",
        "Households that are not approved yet: {n}. They count as applied, and nobody has checked what they wrote.",
    ),
    "town_what.unregistered": (
        "还没有房号表，看不出谁没申请：",
        "No dwelling register yet, so nobody can say who has not applied: ",
    ),
    "town_what.uncounted": ("还没有统计，不在合计里：", "Not counted yet, and not in the total: "),
    "town_what.away": (
        "断网的门口（那里刚发生的事还没传上来）：",
        "Gates that are offline (what has just happened there is not known here): ",
    ),
    "town_what.since": ("最后联系{at}", "last heard of {at}"),
    "town_what.more": ("等共{n}个", "{n} in all"),
    "town_what.person": (
        "这里只有数字，看不到任何人的记录。",
        "There are numbers only here; nobody's record can be reached.",
    ),
    # To take away
    "town_sheet": ("下载表格", "Download .xlsx"),
    "town_paste": ("一段话，可粘贴到群里", "A short text to paste into a chat"),
    "town_paste.head": (
        "出入证申请情况，{compounds}个小区，截至{as_of}",
        "Passes, {compounds} compounds, as of {as_of}",
    ),
    "town_paste.homes": (
        "房屋{dwellings}套：有人住{occupied}，已申请{applied}（{share}），已领证{collected}，未申请{missing}",
        "{dwellings} dwellings: {occupied} occupied, {applied} applied ({share}), {collected} collected, {missing} not "
        "applied",
    ),
    "town_paste.people": (
        "{people}人：业主{owners}户，租户{tenants}户；原已掌握{known}人，新发现{new}人；车辆{vehicles}辆",
        "{people} people: {owners} owner and {tenants} tenant households; {known} known before, {new} newly found; "
        "{vehicles} vehicles",
    ),
    "town_paste.registered": (
        "本地户籍{here}人，外地户籍{elsewhere}人",
        "{here} registered here, {elsewhere} elsewhere",
    ),
    "town_paste.left_out": (
        "未算在内：空置{vacant}套，不住这里或已搬走{elsewhere_homes}套，房号不在表里{loose}户；待审核{waiting}户已算，未核对",
        "Left out: {vacant} vacant dwellings, {elsewhere_homes} whose people live elsewhere, {loose} households with a "
        "room not in the register. Counted but not checked yet: {waiting} households",
    ),
    # Settings
    "town_settings": ("设置", "Settings"),
    "town_home": ("本地户籍指哪里", "Where “registered here” is"),
    "town_home_hint": ("填省和市，写法有没有“省”“市”都一样。", "Province and city, with or without 省 and 市."),
    "town_province": ("省", "Province"),
    "town_city": ("市", "City"),
    "town_put_community": ("小区归哪个社区", "Which community a compound belongs to"),
    "town_community_zh": ("社区中文名", "Community, Chinese"),
    "town_community_en": ("社区英文名", "Community, English"),
    "town_community_hint": ("两个都留空：不归任何社区。", "Both empty: none."),
}

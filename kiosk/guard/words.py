"""Everything the guards' page and the lane's screen say, in Chinese and English.

Each entry is ``(zh, en)``. A test holds that both are there, that every reason, fault and code of the closed lists
has its sentences, and that the public sentences of sensitive reasons cannot be told apart.
"""

from __future__ import annotations

from typing import NamedTuple

from sync import shift_words

LANGUAGES = ("zh", "en")

Pair = tuple[str, str]


class Public(NamedTuple):
    """What the lane may show to everyone standing there: a headline of at most 12 characters, and one line."""

    headline: Pair
    line: Pair


AT_THE_POST = Public(("请到值班室", "Please come to the guard post"), ("工作人员会帮您", "Staff will help you"))
"""What every sensitive reason looks like. The core itself says ``please_see_guard`` instead of them to the lane."""

PUBLIC: dict[str, Public] = {
    "ok": Public(("请通行", "Please go through"), ("谢谢配合", "Thank you")),
    "unreadable": Public(
        ("没看清，请再试", "Not readable, try again"),
        ("放平、靠近、调亮；或向保安报短码", "Flatter, closer, brighter; or tell the guard the short code"),
    ),
    "not_a_pass": Public(
        ("这不是出入证", "This is not a pass"),
        ("请出示出入证的二维码；没有请找保安登记", "Show your pass's code; without one, the guard registers you"),
    ),
    "foreign_scope": Public(
        ("不是本小区的证", "Not a pass of this compound"), ("来访请找保安登记", "Visitors: please see the guard")
    ),
    "unknown_key": Public(
        ("本门还不认识此证", "This gate does not know the pass yet"), ("请找保安", "Please see the guard")
    ),
    "bad_signature": Public(("此证无法验证", "This pass cannot be verified"), ("请找保安", "Please see the guard")),
    "no_list": Public(("请找保安核对", "Please see the guard"), ("本门名单还没到", "This gate has no list yet")),
    "not_on_list": Public(
        ("名单里没有此证", "This pass is not listed"), ("请找保安或到物业", "See the guard or the desk")
    ),
    "unlisted": Public(
        ("新证，请找保安", "New pass, see the guard"), ("本门名单还没更新", "This gate's list is not up to date")
    ),
    "not_collected": Public(
        ("已通过，请来领证", "Approved, please collect it"),
        ("带身份证到物业领取，家人可代领", "Bring ID to the desk; family may collect"),
    ),
    "superseded": Public(
        ("已换新证，请用新证", "Replaced, use your new pass"),
        ("旧证已停用；找不到新证请到物业", "The old one has ended"),
    ),
    "revoked": Public(("此证已停用", "This pass has ended"), ("请找保安，或到物业补办", "See the guard or the desk")),
    "suspended": AT_THE_POST,
    "not_yet_valid": Public(
        ("出入证还没生效", "Not valid yet"),
        ("今天请找保安", "Today, please see the guard"),
    ),
    "expired": Public(
        ("出入证已到期", "Pass has expired"),
        ("到物业办延期；今天请找保安", "Extend at the desk; today, see the guard"),
    ),
    "digits_missing": Public(
        ("请打开出入证页面", "Open your pass page"),
        ("截图不能用；不行请用纸质证", "Show the live page, or use the card"),
    ),
    "digits_stale": Public(
        ("码已过时，请刷新", "Code out of date"),
        ("打开出入证页面再出示；不行请用纸质证", "Open your pass page again, or use the card"),
    ),
    "lockdown": Public(("暂停通行", "Closed for the moment"), ("请听工作人员安排", "Please follow the staff")),
    "response_level": AT_THE_POST,
    "wrong_lane": Public(
        ("此门不走这类证", "Not at this lane"), ("请走旁边的门，或问保安", "Use the other lane, or ask the guard")
    ),
    "wrong_kind": Public(
        ("此证不能走这个门", "Not with this pass"), ("请走旁边的门，或问保安", "Use the other lane, or ask the guard")
    ),
    "outside_hours": Public(
        ("现在不在通行时间", "Outside its hours"), ("急事请找保安", "Urgent? Please see the guard")
    ),
    "day_over": Public(
        ("此证只用一天，已经过了", "Good for one day, now over"),
        ("请找保安，或请住户重新邀请", "See the guard, or be invited again"),
    ),
    "used_up": Public(
        ("此证次数已用完", "No entries are left"),
        ("请找保安；访客请住户再邀请", "See the guard; visitors: be invited again"),
    ),
    "quota_household": Public(
        ("本户今天次数已满", "The household's trips are used"), ("急事请找保安", "Urgent? Please see the guard")
    ),
    "quota_person": Public(
        ("此证今天次数已满", "Today's trips are used"), ("急事请找保安", "Urgent? Please see the guard")
    ),
    "passback": AT_THE_POST,
    "list_expired": Public(("请找保安核对", "Please see the guard"), ("本门名单太旧", "This gate's list is too old")),
    "terms_unread": Public(
        ("请找保安核对", "Please see the guard"), ("本门不认得此证的限制", "This gate cannot read the pass's terms")
    ),
    "attention": AT_THE_POST,
    "unanswered": AT_THE_POST,
}

GUARD: dict[str, Pair] = {
    "ok": ("证有效，放行。", "The pass is good: let through."),
    "unreadable": (
        "没读出来。请对方放平、靠近；不行就按短码查。",
        "Not read. Flatter and closer; else look up the short code.",
    ),
    "not_a_pass": (
        "是二维码，但不是出入证。问清来意，来访登记。",
        "A QR code, but no pass. Ask, and register a visitor.",
    ),
    "foreign_scope": (
        "别的小区的证。按来访登记，确认去哪户。",
        "Another compound's pass. Register as a visitor; ask which home.",
    ),
    "unknown_key": (
        "签发密钥本门还没收到。先按房号查；查不到就登记。",
        "Signed with a key this gate has not received. Look up the dwelling, or register.",
    ),
    "bad_signature": (
        "签名不对，可能是伪造。留住证件，请对方到值班室，叫主管。",
        "The signature is wrong: perhaps forged. Keep the pass, call the supervisor.",
    ),
    "no_list": (
        "本门还没有名单。核对证件和房号后决定。",
        "This gate has no list yet. Check papers and dwelling, then decide.",
    ),
    "not_on_list": (
        "名单里没有这张证。按房号查一查，再问物业。",
        "Not on the list. Look up the dwelling, then ask the desk.",
    ),
    "unlisted": (
        "比本门名单新的证，签名没问题。核对证件后放行。",
        "Newer than this gate's list; the signature is good. Check papers, then open.",
    ),
    "not_collected": (
        "证已印好，还没领。请到物业领证；今天可登记放行。",
        "Printed, not collected. Send to the desk; today register.",
    ),
    "superseded": (
        "已补发新证，这是旧证。请用新证；旧证收回。",
        "Replaced by a newer pass. Ask for that one; keep this one.",
    ),
    "revoked": (
        "这张证已挂失或停用。问清来历，收回证件。",
        "Reported lost or ended. Ask how they got it, and keep it.",
    ),
    "suspended": (
        "此证暂停使用。请到值班室，私下说，联系社区。",
        "Suspended. Take aside to the post, call the community office.",
    ),
    "not_yet_valid": ("还没到生效时间。", "Not valid yet."),
    "expired": ("已过有效期。提醒到物业延期。", "Past its last day. Send to the desk to extend."),
    "digits_missing": (
        "手机证没有动态码，多半是截图。请对方打开出入证页面。",
        "A phone pass without its digits. Ask them to open the pass page.",
    ),
    "digits_stale": (
        "动态码过时了。请对方刷新出入证页面再扫。",
        "The digits are out of step. Ask to open the page again.",
    ),
    "lockdown": ("封闭中，一律不放。急救、消防除外。", "Lockdown: nobody passes, except rescue and fire services."),
    "response_level": (
        "现在的响应级别不放这类证。说明后联系社区。",
        "Not admitted at this response level. Explain, call the community.",
    ),
    "wrong_lane": ("这类证不走这条道。请走另一边。", "This pass is for another lane. Send them there."),
    "wrong_kind": ("这条道不收这类证。请走另一边。", "This lane does not take this kind. Send them to the other."),
    "outside_hours": ("不在允许的时间。问清事由再定。", "Outside the permitted hours. Ask why, then decide."),
    "day_over": (
        "此证只能用一天，那天已过。问住户是否还邀请。",
        "Good for one day, which is over. Ask the household, then decide.",
    ),
    "used_up": (
        "此证的次数用完了，图片可能转发过。问住户再定。",
        "Its entries are used up; the picture may have been passed on. Ask the household.",
    ),
    "quota_household": (
        "这户今天的次数用完了。有急事可放行。",
        "The household used today's trips. Open if it is urgent.",
    ),
    "quota_person": ("此证今天的次数用完了。有急事可放行。", "This pass used today's trips. Open if it is urgent."),
    "passback": (
        "这张证刚用过，可能传给了别人。看看是不是本人。",
        "Used a moment ago, perhaps passed back. Is it the holder?",
    ),
    "list_expired": (
        "名单超过期限。核对证件和房号后决定。",
        "The list is too old. Check papers and dwelling, then decide.",
    ),
    "terms_unread": (
        "此证有本门不认得的限制。核对证件，问值班主管。",
        "It has terms that this gate does not know. Check papers, ask the supervisor.",
    ),
    "attention": (
        "有提示，请到值班室细看；放行前联系社区。",
        "Marked for attention. Take to the post; call before opening.",
    ),
    "unanswered": ("30秒内没人答复，按不放行处理。", "Nobody answered within 30 seconds: counted as refused."),
}

LOOKS: dict[str, Pair] = {
    "person": (
        "看人：问姓名和房号，是不是证上的人。不是本人，请到值班室。",
        "Look at the person: ask name and home. If it is not the holder, take them to the post.",
    ),
    "plate": (
        "看车牌：和证上的号码要一致。不一致先不放，请到值班室。",
        "Look at the plate: it must be the one on the pass. If it is not, do not open; ask at the post.",
    ),
    "papers": (
        "看材料：请出示承诺书或社区开的证明。没有的，请到值班室。",
        "Look at papers: the commitment letter or a note of the community. Without them, take to the post.",
    ),
    "desk": (
        "请本人去一趟领证台，还有手续要补。是本人就放行。",
        "Send the holder to the collection desk: something is left to do there. If it is the holder, open.",
    ),
    "community": (
        "请到值班室，不要在通道上问。先给社区打电话，按社区说的办。",
        "Take to the post; ask nothing in the lane. Call the community office first, and do as it says.",
    ),
    "lost": (
        "这张证报过丢失。请到值班室看是不是本人；不是本人，收下证，叫主管。",
        "Reported lost. At the post, see whether it is the holder; if not, keep the pass and call the supervisor.",
    ),
}
"""What a guard shall look for, and do. A code that is newer than this page is said as ``attention`` is."""

BEARING = frozenset({"passback", "quota_household", "quota_person", "day_over", "used_up"})
"""Reasons on which the last passage bears: only then is it shown."""

OUTCOMES: dict[str, Pair] = {
    "grant": ("放行", "Let through"),
    "refer": ("请核对", "Check"),
    "deny": ("不放行", "Refused"),
    "answered": ("有人应答", "answered"),
    "passed": ("已通过", "passed"),
    "not_passed": ("没有通过", "did not pass"),
    "no_sensor": ("已开门", "opened"),
    "interrupted": ("中断，门可能动过", "interrupted, may have opened"),
    "on": ("开始", "on"),
    "off": ("结束", "off"),
}

PUBLIC_LIMITS: dict[str, Pair] = {
    "not_yet_valid": ("{when}起生效；今天请找保安", "Valid from {when}; today, see the guard"),
    "expired": ("{when}已到期；到物业办延期", "Ended {when}. Extend it at the desk"),
    "outside_hours": ("今天{when}可以通行；急事请找保安", "Today {when}. Urgent? See the guard"),
}
"""What the lane says in place of its second line where the gate knows the time."""

DESK: dict[str, Pair] = {
    "not_on_list": ("请找保安，或到{desk}{hours}", "See the guard, or go to {desk}{hours}"),
    "not_collected": ("带身份证到{desk}领取{hours}，家人可代领", "Bring ID to {desk}{hours}; family may collect"),
    "superseded": ("旧证已停用；没有新证请到{desk}{hours}", "The old one has ended. No new one? Go to {desk}{hours}"),
    "revoked": ("请找保安，或到{desk}补办{hours}", "See the guard, or go to {desk}{hours}"),
    "expired": ("到{desk}办延期{hours}；今天请找保安", "Extend at {desk}{hours}; today, see the guard"),
    "ended": ("{when}已到期；到{desk}办延期{hours}", "Ended {when}. Extend at {desk}{hours}"),
}
"""What the lane says in place of its second line where the compound has said where its desk is."""

DESK_HOURS: dict[str, Pair] = {
    "until": ("（今天{at}前）", ", open until {at}"),
    "today": ("（今天{span}）", ", open today {span}"),
    "tomorrow": ("（明天{at}起）", ", open from {at} tomorrow"),
    "day": ("（{day}{at}起）", ", open from {at} on {day}"),
}

GUARD_LIMITS: dict[str, Pair] = {
    "not_yet_valid": ("{when}才生效。", "Not valid before {when}."),
    "expired": ("{when}已到期。提醒到物业延期。", "Ended {when}. Send to the desk to extend."),
    "outside_hours": ("只能在{when}通行。问清事由再定。", "Only {when}. Ask why, then decide."),
}

LIMITS: dict[str, Pair] = {
    "day": ("{month}{day}日", "{day} {month}"),
    "day_year": ("{year}年{month}{day}日", "{day} {month} {year}"),
    "time": ("{month}{day}日{at}", "{day} {month}, {at}"),
    "time_year": ("{year}年{month}{day}日{at}", "{day} {month} {year}, {at}"),
    "comma": ("，", ", "),
    "day_comma": ("、", " "),
}
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS: tuple[Pair, ...] = tuple((f"{number}月", name) for number, name in enumerate(_MONTH_NAMES, 1))
DAYS: tuple[Pair, ...] = tuple(
    (f"周{zh}", en) for zh, en in zip("一二三四五六日", ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], strict=True)
)

KINDS: dict[str, Pair] = {
    "decision": ("刷证", "Presentation"),
    "ruling": ("保安答复", "Ruling"),
    "override": ("人工改判", "Override"),
    "explained": ("原因", "Reason"),
    "passage": ("通行", "Passage"),
    "button": ("按钮开门", "Opened by the wired button"),
    "fire": ("消防开门", "Fire contact"),
    "lockdown": ("封闭", "Lockdown"),
    "held_open": ("常开", "Held open"),
    "call": ("有人按呼叫", "Somebody calls"),
    "tamper": ("设备被打开", "Housing opened"),
    "unasked": ("未经放行", "Not let in"),
    "provisional": ("没带证，已登记", "No pass, registered"),
    "family": ("家人跟着走", "Family follows"),
    "annulled": ("按错了，已作废", "Pressed by mistake, annulled"),
}

PASS_KINDS: dict[str, Pair] = {
    "resident": ("居民", "Resident"),
    "household_staff": ("家政人员", "Household staff"),
    "property_staff": ("物业人员", "Property staff"),
    "contractor": ("施工维修", "Contractor"),
    "shop": ("商户", "Shop"),
    "visitor": ("访客", "Visitor"),
    "official": ("公务", "Official"),
    "vehicle": ("车辆", "Vehicle"),
}

PASS_STATES: dict[str, Pair] = {
    "applied": ("审核中", "Under review"),
    "approved": ("已通过", "Approved"),
    "printed": ("没领取", "Not collected"),
    "active": ("有效", "Active"),
    "suspended": ("暂停", "Suspended"),
    "revoked": ("已停用", "Ended"),
    "superseded": ("已换新证", "Replaced"),
    "expired": ("已到期", "Expired"),
}

SOURCES: dict[str, Pair] = {
    "camera": ("", ""),
    "phone": ("保安手机扫", "by a guard's phone"),
    "hand": ("手工输入", "typed in"),
}

FAULTS: dict[str, Pair] = {
    "fire": ("消防开门中。门保持打开，先救人。", "Fire contact: the gate stays open. People first."),
    "tamper": (
        "设备箱被打开。去看一眼，再打电话给技术员。",
        "The housing was opened. Go and look, then call the technician.",
    ),
    "relay": (
        "开门继电器不响应。用遥控或手动开门，叫技术员。",
        "The barrier does not answer. Open by hand, call the technician.",
    ),
    "camera": (
        "摄像头坏了。用手机扫码或按房号查，叫技术员。",
        "The camera is out. Scan by phone or look up; call the technician.",
    ),
    "camera_hung": (
        "摄像头没有画面，正在自己重启。用手机扫码或按房号查。",
        "The camera gives no picture and restarts. Scan by phone or look up.",
    ),
    "camera_frozen": (
        "摄像头画面不动了，正在自己重启。用手机扫码或按房号查。",
        "The camera's picture stands still; it restarts. Scan by phone or look up.",
    ),
    "camera_black": (
        "摄像头一片黑。拿开遮挡、擦净镜头；不行就叫技术员。",
        "The camera sees only black. Uncover and wipe it, or call the technician.",
    ),
    "camera_white": (
        "摄像头一片白。挡住照进镜头的强光；不行就叫技术员。",
        "The camera sees only white. Shade it from the light, or call the technician.",
    ),
    "reader_silent": ("识别程序停了，正在自己重启。", "The reader is down, restarting itself."),
    "passage_stuck": (
        "感应器卡住了：有树叶或停着车？照常放行。",
        "The sensor is stuck: a leaf, a parked car? Go on as usual.",
    ),
    "passage_blind": (
        "感应器感应不到人。照常放行，叫技术员。",
        "The sensor sees nobody. Go on; call the technician.",
    ),
    "button_stuck": ("开门按钮卡住了。去看一下。", "A wired button is stuck or held down. Go and look."),
    "call_stuck": ("呼叫按钮一直按着。去车道看一下。", "The call button stays pressed. Look at the lane."),
    "input_chatters": ("有信号线在乱跳。照常放行，叫技术员。", "A wire flickers. Go on; call the technician."),
    "input_taken": (
        "有感应器或墙上的按钮接不通。按钮不灵就用本页开门，叫技术员。",
        "A sensor or a button on the wall is dead. Open by this page; call the technician.",
    ),
    "lights": (
        "有灯或蜂鸣器不工作，门照常开。以本页为准，叫技术员。",
        "A lamp or the buzzer is out; the gate works. Go by this page; call the technician.",
    ),
    "reader_restarted": ("识别程序重启过，现在正常。", "The reader was down; it works again."),
    "forced": (
        "门不是本机开的：遥控、手抬或硬推。去看一眼。",
        "The gate was opened by other means: a remote, by hand, by force. Go and look.",
    ),
    "call": ("有人按了呼叫。去看看，或问一声。", "Somebody called. Go and see, or ask."),
    "bad_signature": (
        "有人出示疑似假证，叫主管。",
        "A pass that may be forged was shown. Call the supervisor.",
    ),
    "revoked": (
        "有人出示已停用的证，看记录。",
        "A pass that has ended was shown. See the list.",
    ),
    "lockdown": ("封闭中：一律不放行。", "Lockdown: nobody is let through."),
    "held_open": (
        "门保持常开，谁都能过。用完请结束常开。",
        "Held open: anybody can pass. End it when it is no longer needed.",
    ),
    "held_open_question": (
        "重启前门是常开的。请决定：常开还是关上。",
        "Held open before the restart. Decide: open or closed.",
    ),
    "journal_lost": ("有记录丢失。照常放行，叫技术员。", "Records were lost. Go on as usual, call the technician."),
    "journal": (
        "记录写不进去。照常放行，今天叫技术员。",
        "Records cannot be written. Go on; call the technician today.",
    ),
    "supply_weak": (
        "电源太弱，设备可能突然停机。照常放行，叫技术员。",
        "The power supply is too weak. Go on; call the technician.",
    ),
    "too_hot": (
        "设备太热，识别会变慢。给设备箱遮阴，叫技术员。",
        "Too hot: reading slows down. Shade the box, call the technician.",
    ),
    "card_errors": (
        "存储卡出错了。照常放行，今天叫技术员。",
        "The memory card has errors. Go on; call the technician today.",
    ),
    "card_worn": (
        "存储快到寿命了。照常放行，告诉技术员。",
        "The storage is nearly worn out. Go on; tell the technician.",
    ),
    "disk_full": ("存储快满了。照常放行，叫技术员。", "The memory card is nearly full. Go on; call the technician."),
    "no_list": ("还没有名单。每个人都核对证件和房号。", "No list yet. Check everybody's papers and dwelling."),
    "list_expired": (
        "名单太旧了。居民照常，访客一律核对。打给物业。",
        "The list is too old. Check every visitor; call the desk.",
    ),
    "list_stale": (
        "名单旧了，照常验证。之后挂失的证认不出，多看一眼。",
        "Old list, still deciding. Later losses are not known.",
    ),
    "list_damaged": (
        "名单有损坏，正在重取。查不到的证核对后放行。",
        "The list is damaged and comes anew. Check papers of a pass it lacks, then open.",
    ),
    "list_forged": (
        "收到的名单改动有假，没有采用。打给物业。",
        "Forged changes to the list were not taken. Call the desk.",
    ),
    "list_not_understood": (
        "有新规定本机看不懂，按旧规定。叫技术员。",
        "New rules this gate cannot read; old ones hold. Call the technician.",
    ),
    "clock_untrusted": (
        "门的时间不准。请照手表或手机对一下。",
        "The gate's clock is not sure. Set it by a watch, or by your phone.",
    ),
    "centre_restored": (
        "中心退回到了旧备份。照常放行，打给物业。",
        "The centre went back to an old backup. Go on; call the desk.",
    ),
    "centre_away": (
        "连不上中心，照常工作。超过一天打给物业。",
        "The centre is away; the gate goes on. A day long? Call the desk.",
    ),
    "withdrawn": (
        "本门已被撤销，不再验证。叫主管。",
        "This gate was withdrawn and decides nothing. Call the supervisor.",
    ),
}
"""The closed list of fault codes (``GateState.faults``), worst first. A code may carry a detail after a colon."""

OVERRIDE_REASONS: dict[str, Pair] = shift_words.REASONS

OTHER_REASONS: dict[str, Pair] = {
    "over_budget": ("超过本班次数，已记下", "More than the shift's budget: recorded"),
    "interrupted": ("系统重启打断了", "Cut short by a restart"),
    "guard_button": ("值班室的按钮", "The button at the post"),
    "exit_button": ("出门按钮", "The exit button"),
    "alone": ("有人通过，没刷证也没人放行", "Somebody passed whom nothing let in"),
    "followed": ("有人跟着前一个人进出", "Somebody passed right behind another"),
    "late": ("开门时间过后才通过", "Passed after the time of the opening"),
    "left_open": ("门一直开着没关", "The arm stays open"),
}
"""What is given as the reason of a happening that is neither a decision nor explained by a guard."""

PARTS: dict[str, Pair] = {
    "camera": ("摄像头", "camera"),
    "barrier": ("道闸", "barrier"),
}
"""Parts that may be simulated. The core names them with their lane: ``camera in``."""

ERRORS: dict[str, Pair] = {
    "wrong_pin": (
        "姓名或密码不对，或者这个账号不能在本门用。",
        "Name or PIN is wrong, or the account is not for this gate.",
    ),
    "pins_withdrawn": (
        "姓名或密码不对。因为有一台门口设备被偷，一些保安的旧密码已经作废。还没拿到新密码的，请找主管或物业要。"
        "墙上的按钮照样能开门。",
        "Name or PIN is wrong. A gate was stolen, so some PINs were withdrawn. If you have no new one yet, ask your "
        "supervisor or the property office. The wired button still opens.",
    ),
    "locked_out": (
        "错了太多次，{wait}后再试。这段时间里，同事用自己的姓名照样能登录，您也可以换一部自己登录过的手机。"
        "墙上的按钮照样能开门。",
        "Too many wrong tries. Try again in {wait}. Meanwhile colleagues sign in under their own names, and you on "
        "another phone where you signed in before. The wired button opens.",
    ),
    "no_accounts": (
        "本门还没有保安账号。请物业在中心添加。",
        "This gate has no guard accounts yet. The desk adds them.",
    ),
    "other_host": (
        "这台设备不用这个网址。请用下面的地址打开；要用别的名字，请技术员写进kiosk.toml的guard.hosts。",
        "This device does not answer to that address. Open the one below. A technician allows other names with "
        "guard.hosts in kiosk.toml.",
    ),
    "not_signed_in": ("登录已过期，请重新登录。", "Your session has ended. Please sign in again."),
    "away": (
        "门控没有回应，这一下没有成功。要开门请按墙上的按钮。",
        "The gate did not answer: not done. Use the wired button.",
    ),
    "technician_only": ("只有技术员能看摄像头画面。", "Only a technician may look through the camera."),
    "not_allowed": ("需要主管才能这样做。", "Only a supervisor may do that."),
    "reader_stopped": (
        "识别程序读这张照片时停了，正在重启。别再发这张，换一张或按房号查。",
        "The reader stopped at this photo and restarts. Take another, or look up.",
    ),
    "photo_stops": (
        "这张照片两次让识别程序停下，不再识别。换一张或按房号查。",
        "This photo stopped the reader twice: not read again. Take another, or look up.",
    ),
    "too_large": (
        "照片超过 4 MB。把手机相机调小一点，或靠近只拍二维码。",
        "Over 4 MB. Use a smaller photo, or only the code.",
    ),
    "no_code": (
        "照片里没读到新的二维码。靠近一点，拍清楚（JPG 或 PNG）再试。",
        "No new QR code was read. Closer and sharper, as JPG or PNG.",
    ),
    "photo_pace": (
        "这一分钟识别照片的时间用完了。先按房号查，一分钟后再发照片。",
        "This minute's time for photos is used up. Look up the dwelling; send photos again in a minute.",
    ),
    "busy": ("上一张还在识别，等一下再试。", "The last one is still being read. Try again in a moment."),
    "no_photo": ("还没选照片。", "No photo was chosen."),
    "reader_away": (
        "识别程序没有回应。按房号查，或按墙上的按钮。",
        "The reader does not answer. Look up, or use the wired button.",
    ),
    "no_names": (
        "不按姓名查。请输入房号、车牌、证号或短码。",
        "Not by name. Enter a dwelling, plate, pass number or short code.",
    ),
    "no_dwelling": (
        "这不像房号。请填栋、单元、房号，例如3-2-501。",
        "That is not a home. Enter building, unit and room, for example 3-2-501.",
    ),
    "dwelling_unlisted": (
        "本门名单里没有这一户，门没有动。看看输对没有；没错就勾上“名单里没有，也登记”，再按一次。",
        "This gate's list does not have that home; the gate did not move. Check it. If it is right, tick “Not on the "
        "list” and press again.",
    ),
    "household_watched": (
        "这一户有证暂停，或要多看一眼，门没有动。请人到值班室，先打电话给社区；同意后用“开门”。",
        "A pass of that home is suspended or marked; the gate did not move. Take them to the guard post and call the "
        "community. If they agree, use Open.",
    ),
    "how_many": ("请选有几个人。", "Choose how many people there are."),
    "not_let_in": (
        "这个人没有放行，或已经过了一分钟，门没有动。请再刷一次。",
        "That person was not let in, or it is over a minute ago; the gate did not move. Have the pass shown again.",
    ),
    "no_household": (
        "这张证不带家人，门没有动。请各自刷证，或到“没带证”登记。",
        "This pass brings no family; the gate did not move. Have each show a pass, or use “No pass”.",
    ),
    "family_quota": (
        "这一户今天的次数不够这么多人，门没有动。急事要放行，请用“开门”。",
        "That household may not come that often today; the gate did not move. If it is urgent, use Open.",
    ),
    "too_short": ("请把房号、车牌、证号或短码输完整。", "Enter the whole dwelling, plate, number or code."),
    "forged": ("页面过期了，请再按一次。", "The page was out of date. Please press again."),
    "bad_time": ("时间没看懂。请填日期和时间。", "The time was not understood. Enter date and time."),
    "known_already": ("门已经知道时间，不用对。", "The gate knows the time already; nothing to do."),
    "before_floor": (
        "这比门确知的时间还早。请看清日期和时间再填。",
        "That is earlier than the gate knows it is. Check the date and time.",
    ),
    "not_here": ("没有这一页。", "There is no such page."),
    "too_late": (
        "这一下到得太晚，门没有动。人还在就再按一次。",
        "That came too late: the gate did not move. If somebody waits, press again.",
    ),
    "given_up": (
        "没有送到，门没有动。人还在就再按一次，或按墙上的按钮。",
        "It did not arrive: the gate did not move. Press again, or use the wired button.",
    ),
    "restarted": (
        "门控重启过，不知道这一下门动没动。看一眼门。",
        "The gate has restarted and does not know whether it moved. Look at the gate.",
    ),
    "line_gone": (
        "门控重启过，门没有动。看清是谁，再按一次。",
        "The gate has restarted and did not move. See who it is, then press again.",
    ),
    "not_waiting": (
        "答复晚了，已按不放行处理，门没有动。要开就再按一次开门。",
        "Too late: it counted as refused, the gate did not move. To open, press Open again.",
    ),
    "not_on_duty": ("您还没有接班。", "Your shift has not begun."),
    "not_your_act": ("只能改本班自己的操作。", "Only what you did in this shift can be taken back."),
    "annulled_before": ("已经作废过了。", "It was annulled before."),
    "note_empty": ("还没写内容。", "The note is empty."),
    "note_long": ("太长了，最多300字。", "Too long: 300 characters at most."),
    "notes_full": ("这一班的留言已满10条。", "This shift has its 10 notes already."),
    "no_such_shift": ("找不到这一班，可能太久了。", "This shift is not found; it may be too long ago."),
    "records_unread": (
        "记录现在读不出来，请稍后再试。开门照常。",
        "The records cannot be read just now; try again later. The gate works as usual.",
    ),
    "not_possible": ("现在不能这样做。", "That is not possible now."),
    "fault": ("门控出了错。要开门请按墙上的按钮，叫技术员。", "A fault. Use the wired button, call the technician."),
}

NO_PICTURE: dict[str, Pair] = {
    "not_viewed": ("正在等识别程序。", "Waiting for the reader."),
    "no_picture": ("摄像头没有给出画面。", "The camera gives no picture."),
    "reader_gone": ("识别程序没有回应，所以没有画面。", "The reader does not answer, so there is no picture."),
    "unknown_lane": ("这条通道没有摄像头。", "This lane has no camera."),
}
"""Why a technician who looks through a camera sees nothing just now."""
OPENING_REASONS = ("known", "papers", "registered", "urgent", "delivery", "desk", "mistake", "other")
REFUSING_REASONS = ("not_holder", "refused_check", "mistake", "other")
"""Which of :data:`OVERRIDE_REASONS` fit an act that opened, and one that refused."""

WORDS: dict[str, Pair] = {
    "post": ("值班台", "Guard post"),
    "sign_in": ("登录", "Sign in"),
    "sign_out": ("退出登录", "Sign out"),
    "name": ("保安姓名", "Guard's name"),
    "pin": ("密码", "PIN"),
    "button_works": ("墙上的按钮随时能开门。", "The wired button on the wall always opens."),
    "signed_in_as": ("{name}（{role}）", "{name} ({role})"),
    "role_guard": ("保安", "guard"),
    "role_supervisor": ("主管", "supervisor"),
    "role_technician": ("技术员", "technician"),
    "fine": ("一切正常", "All is well"),
    "and_more": ("另有 {n} 项", "{n} more"),
    "offline": (
        "门控没有回应，正在重连。要开门请按墙上的按钮。",
        "The gate does not answer; retrying. Use the wired button.",
    ),
    "page_offline": (
        "页面断开了，正在重连。要开门请按墙上的按钮。",
        "Page cut off; retrying. To open, use the wired button.",
    ),
    "cut": ("断开", "Cut off"),
    "cut_line": (
        "这一页收不到门控的消息，先前显示的可能已经过时。恢复后自己会好。",
        "This page hears nothing from the gate; what it showed may be out of date. It recovers by itself.",
    ),
    "away": ("门控没有回应", "The gate does not answer"),
    "away_line": (
        "门控可能正在重启，一般半分钟内回来。这一页自己会恢复，不用重新登录。",
        "It may be restarting, mostly within half a minute. This page recovers by itself; no new sign-in.",
    ),
    "cut_since": ("已经 {n} 秒", "for {n} s"),
    "dead": ("这一页没有在运行", "This page is not running"),
    "dead_line": (
        "浏览器太旧，或程序停了。每 5 秒重新载入一次；请换一台手机或浏览器。",
        "The browser is too old, or its program stopped. It reloads every 5 s; use another phone or browser.",
    ),
    "offline_long": ("这一页会自己恢复，不用刷新。", "This page recovers by itself."),
    "reader_down": (
        "先按房号查，或看证件后开门。一分钟还不好，叫技术员。",
        "Look up by dwelling, or see papers and open. Still so in a minute: call the technician.",
    ),
    "camera_at": ("是{lanes}的摄像头。", "It is the camera of {lanes}."),
    "camera_down": ("一分钟还不好，叫技术员。", "Still so in a minute: call the technician."),
    "reader_again": ("识别程序 {time} 自己重启，1小时内 {n} 次。", "Reader restarted {time}, {n}× within the hour."),
    "reader_once": ("门照常能开。", "The gate opens as ever."),
    "reader_often": ("看看镜头前有没有怪图，叫技术员。", "See what is before the camera; call the technician."),
    "reader_blamed": ("去把“{lanes}”镜头前的怪图拿开。", "Take away what is before the camera of {lanes}."),
    "reader": ("识别程序", "Reader"),
    "reader_steady": ("1小时内没有重启", "no restart within the hour"),
    "reader_counted": (
        "1小时内重启 {n} 次，最近 {time}；{blames} 次因为镜头前的画面",
        "{n} restarts within the hour, the last at {time}; {blames} because of what the camera saw",
    ),
    "unexplained": ("{n} 次没写原因", "{n} without a reason"),
    "list_age": ("名单 {age}前", "list {age} old"),
    "no_list_age": ("没有名单", "no list"),
    "caution": ("{time} 起：{sentence}", "Since {time}: {sentence}"),
    "caution_at": ("{time}：{sentence}", "{time}: {sentence}"),
    "times": ("（{n} 次）", " ({n} times)"),
    "alert_waits": ("有人等", "Waiting"),
    "alert_call": ("呼叫", "Call"),
    "alert_fault": ("警示", "Alarm"),
    "alert_missed": (
        "这一页睡着时，{n} 个请核对没人答复。点一下收起。",
        "While this page slept, {n} waited and nobody answered. Tap to put this away.",
    ),
    "call_answered": ("{name}去应答了", "{name} answers"),
    "answer_call": ("我去应答", "I answer"),
    "acknowledge": ("知道了", "Seen"),
    "simulated": ("演示 · 模拟的有：{parts}", "Demo · simulated: {parts}"),
    "and": ("、", ", "),
    "open": ("开门", "Open"),
    "let_in": ("已放行", "Let through"),
    "resting": ("已开，等通过", "Opened, wait"),
    "cut_short": (
        "门控重启打断了这一次，按不放行处理。人还在，就请再刷一次。",
        "The restart cut this short: counted as refused. If they still wait, have them show the pass again.",
    ),
    "let_through": ("放行", "Open"),
    "refuse": ("不放行", "Refuse"),
    "unanswered_exit": ("没人答复，出口已放行。", "Nobody answered: this exit opened."),
    "empty_now": ("等人刷证", "Waiting for a pass"),
    "empty_now_line": ("有人出示出入证，这里马上显示。", "When somebody shows a pass, it appears here."),
    "empty_stream": ("还没有记录", "Nothing yet"),
    "recent": ("最近记录", "Latest"),
    "earlier": ("刚才的一次", "The last one"),
    "plate": ("车牌", "Plate"),
    "dwelling": ("房号", "Dwelling"),
    "kind": ("类别", "Kind"),
    "label": ("持证人", "Holder"),
    "pass_number": ("证号", "Number"),
    "valid_until": ("有效期到", "Valid until"),
    "own_hours": ("此证时段", "Its hours"),
    "entries": ("次数", "Entries"),
    "entries_used": ("已用{entered}次，共{entries}次", "{entered} of {entries} used"),
    "one_day": ("只用一天", "One day"),
    "one_day_means": ("首次进入当天有效", "the day of its first entry"),
    "last_passage": ("上次通行", "Last passage"),
    "seconds_left": ("{n} 秒内答复", "answer within {n} s"),
    "all_lanes": ("全部通道", "All lanes"),
    "more_waiting": ("还有 {n} 人在等", "{n} more waiting"),
    "answered": ("已答复", "Answered"),
    "by": ("{outcome}，{name}", "{outcome} by {name}"),
    "would_be": ("本来应是：{reason}", "Would have been: {reason}"),
    "guided": ("放行，并提醒：{reason}", "Let through; tell them: {reason}"),
    "look_besides": ("另有提示：{look}", "Marked, too: {look}"),
    "repeats": ("重复 {n} 次", "{n} repeats"),
    "stale_list": ("按 {age}前的名单判断", "decided with a list {age} old"),
    "clock_doubt": ("时间不确定，没查日期", "clock unsure: dates not judged"),
    "back_to_newest": ("回到最新", "Back to the newest"),
    "back": ("返回", "Back"),
    "waiting_banner": ("有人等您答复", "Somebody is waiting for you"),
    "look_up": ("查询", "Look up"),
    "look_up_hint": ("房号、车牌、证号或短码", "Dwelling, plate, number or short code"),
    "look_up_rule": ("不按姓名查，也不列出住户。", "Never by name, and no lists of people."),
    "family": ("后面还有家人？", "Family behind?"),
    "family_one": ("再放{n}个家人", "Let {n} of the family follow"),
    "no_pass": ("没带证", "No pass"),
    "no_pass_hint": (
        "问清住哪一户、几个人。登记后{n}天内，这一户再来不用重填。",
        "Ask which home and how many people. It lasts {n} × 24 h.",
    ),
    "no_pass_desk": (
        "请他们扫门口屏幕上的码办证，或到物业办。",
        "Ask them to scan the code on the gate's screen and apply, or to go to the property office.",
    ),
    "dwelling_hint": ("房号，例如3-2-501", "Home, like 3-2-501"),
    "how_many_people": ("几个人", "How many people"),
    "people": ("{n}人", "{n} people"),
    "unlisted_sure": ("名单里没有，也登记", "Not on the list: register all the same"),
    "admit": ("登记并放行", "Register, open"),
    "admit_again": ("再放行", "let in"),
    "registered_before": ("已登记，还没到期", "Registered, still good"),
    "registered_by": ("{name}登记", "by {name}"),
    "good_until": ("到{time}，{name}登记", "until {time}, by {name}"),
    "found_none": ("没有查到。看看有没有输错。", "Nothing found. Check what you typed."),
    "found_more": ("太多了，请输完整。", "Too many: enter it in full."),
    "digits": ("数字键盘", "Keypad"),
    "erase": ("退格", "Erase"),
    "scan_phone": ("手机扫码", "Scan by phone"),
    "scan_phone_hint": ("拍下对方的二维码，最大 4 MB。", "Take a photo of their code, 4 MB at most."),
    "choose_photo": ("拍照或选照片", "Take or choose a photo"),
    "send_photo": ("识别这张照片", "Read this photo"),
    "tool_present": ("出示", "Present"),
    "tool_scan": ("扫码", "Scan"),
    "present": ("出示演示证", "Present a demo pass"),
    "present_hint": ("点一张，它就被举到模拟摄像头前。", "Tap one: it is held before the simulated camera."),
    "present_none": ("演示文件夹里还没有证。", "There are no demo passes in the folder yet."),
    "phone_pass": ("手机证，动态码", "Phone pass, live digits"),
    "card_pass": ("纸质证", "Card"),
    "more": ("更多", "More"),
    "shift": ("交接班", "Shift"),
    "annul": ("按错了", "Pressed wrong"),
    "shift_none": ("接班", "Begin a shift"),
    "post_again": ("回值班台", "Back to the post"),
    "hold_open": ("保持常开", "Hold open"),
    "hold_press": ("按住 1 秒保持常开", "Press for 1 s to hold open"),
    "hold_end": ("结束常开，关门", "End holding open"),
    "hold_end_sure": ("我确认下面没有人和车", "Nobody and no car is under it"),
    "hold_end_press": ("按住 1 秒结束常开，关门", "Press for 1 s to end holding open"),
    "hold_sure": ("我确认要一直开着", "Yes, keep it open"),
    "hold_hint": ("车队、搬家时用。状态条会一直提醒。", "For convoys and removals. The state bar keeps reminding you."),
    "held_now": ("门现在常开", "The gate is held open"),
    "held_question": ("重启前门是常开的。现在要常开吗？", "It was held open before the restart. Hold it open again?"),
    "held_yes": ("继续常开", "Hold open again"),
    "held_no": ("不，关上", "No, stay closed"),
    "lockdown": ("封闭", "Lockdown"),
    "lockdown_on": ("按住 1 秒封闭", "Press for 1 s: lockdown"),
    "lockdown_off": ("解除封闭", "End the lockdown"),
    "lockdown_end_sure": ("我确认解除封闭", "Yes: end the lockdown"),
    "lockdown_end_press": ("按住 1 秒解除封闭", "Press for 1 s: end the lockdown"),
    "lockdown_sure": ("我确认封闭：一律不放", "Yes: refuse everybody"),
    "lockdown_hint": (
        "只有主管能用。保安和墙上的按钮仍能开门。",
        "Supervisors only. Guards and the wired button still open.",
    ),
    "why": ("补一句原因", "Why was that?"),
    "why_hint": ("门已经处理好了，写不写都不影响。", "The gate has already acted; this waits for you."),
    "why_dwelling": ("给哪户（可不填，只写房号）", "For which dwelling (optional, no names)"),
    "overspent": (
        "{name}改判超过本班次数：{n}次，最近{time}",
        "{name}: overrides over the shift's budget: {n}, the last at {time}",
    ),
    "why_text": ("补充（可不填）", "In your words (optional)"),
    "why_save": ("保存", "Save"),
    "why_later": ("以后再写", "Later"),
    "why_none": ("都写好了。", "All are explained."),
    "saved": ("已保存", "Saved"),
    "opened": ("已发出开门", "Opening"),
    "refused": ("已记为不放行", "Refused, recorded"),
    "granted_alike": (
        "{name}已经放行，门开过了，没有再开。",
        "{name} let them through already; it did not open again.",
    ),
    "denied_alike": ("{name}已经答复：不放行。", "{name} refused already."),
    "granted_before": (
        "{name}已经放行，门开过了。您这一下没有起作用。",
        "{name} let them through and the gate opened. Yours did nothing.",
    ),
    "denied_before": (
        "{name}已经答复不放行，门没有动。要开就再按一次开门。",
        "{name} refused; the gate did not move. To open, press Open again.",
    ),
    "unsure": (
        "没有回音，正在问门控。没送到的，过时不会再开门。",
        "No answer; asking the gate. What did not arrive opens nothing later.",
    ),
    "noted": ("记下了", "Noted"),
    "done": ("好了", "Done"),
    "time_title": ("对时间", "Set the time"),
    "time_gate": ("门上的时间", "The gate's time"),
    "time_unknown": ("门不知道现在几点。", "The gate does not know what time it is."),
    "time_enter": ("填手表上的日期和时间：", "Enter the date and time of your watch:"),
    "time_phone": ("或者用这台手机的时间：", "Or take this phone's time:"),
    "time_phone_hint": (
        "先和墙上的钟或另一台手机对一下。",
        "First compare it with a clock on the wall, or another phone.",
    ),
    "time_phone_set": ("和钟对过，用手机的时间", "Compared: take the phone's time"),
    "time_set": ("用这个时间", "Use this time"),
    "time_trusted": ("时间已确认，不用对。", "The clock is trusted; nothing to do."),
    "date": ("日期", "Date"),
    "clock_time": ("时间", "Time"),
    "details": ("技术细节", "Details for the technician"),
    "device": ("设备", "Device"),
    "programs": ("程序", "Programs"),
    "camera_picture": ("摄像头画面", "What the camera sees"),
    "picture_hint": (
        "画面会拍到居民。每看一次都记下是谁看的，画面不保存，两分钟后自动停。",
        "Residents may be seen. Each look is recorded with your name; no picture is kept. It ends after two minutes.",
    ),
    "picture_show": ("看画面", "Show the picture"),
    "picture_again": ("再看两分钟", "Two minutes more"),
    "picture_left": ("还显示 {n} 秒", "{n} s left"),
    "picture_waits": ("正在等画面", "Waiting for the picture"),
    "picture_lost": ("现在没有画面，正在重试。", "There is no picture just now; trying again."),
    "picture_over": ("两分钟到了，画面已停。", "Two minutes are over; the picture has stopped."),
    "picture_technician": ("摄像头画面只给技术员看。", "Only a technician can see the camera's picture."),
    "no_camera": ("没有", "none"),
    "fps": ("每秒画面", "Frames a second"),
    "exposure": ("曝光 × 增益", "Exposure × gain"),
    "brightness": ("画面亮度", "Brightness"),
    "oldest": ("最早的 {age}前", "the oldest {age} ago"),
    "throttled": ("处理器降速", "Processor slowed down"),
    "throttled_now": ("正在降速：太热或电压低", "slowed down, by heat or supply"),
    "throttled_not": ("没有", "no"),
    "of_size": ("{free}，共 {size}", "{free} of {size}"),
    "version_program": ("程序版本", "Program version"),
    "version_python": ("Python", "Python"),
    "version_kernel": ("内核", "Kernel"),
    "version_board": ("主板", "Board"),
    "runs_core": ("门控程序已运行", "Core has run for"),
    "runs_reader": ("识别程序已运行", "Reader has run for"),
    "runs_guard": ("本页程序已运行", "This page's program has run for"),
    "runs_sync": ("上传程序已运行", "Sync has run for"),
    "reader_restarts": ("识别程序重启次数", "Restarts of the reader"),
    "text_size": ("字号", "Text size"),
    "size_normal": ("标准", "Normal"),
    "size_large": ("特大", "Large"),
    "theme": ("明暗", "Theme"),
    "theme_auto": ("自动", "Automatic"),
    "theme_day": ("白天", "Day"),
    "theme_night": ("夜间", "Night"),
    "language": ("语言", "Language"),
    "camera": ("摄像头", "Camera"),
    "barrier": ("道闸", "Barrier"),
    "list": ("名单", "List"),
    "clock": ("时钟", "Clock"),
    "centre": ("中心", "Centre"),
    "lane": ("通道", "Lane"),
    "direction": ("方向", "Direction"),
    "lock": ("锁", "Lock"),
    "phase": ("阶段", "Phase"),
    "signal": ("灯", "Signal"),
    "relay": ("继电器", "Relay"),
    "pins": ("引脚", "Pins"),
    "arm": ("杆", "Arm"),
    "decode_ms": ("解码毫秒", "Decode ms"),
    "looked": ("细看的画面", "Frames looked at"),
    "module_px": ("每格像素", "Pixels a module"),
    "lens_unknown": ("没写镜头焦距lens_mm", "lens_mm is not set"),
    "few_pixels": ("太少：离近些或换摄像头", "too few: hold codes nearer, or another camera"),
    "enforcement": ("执行阶段", "Enforcement"),
    "revision": ("名单版本", "Revision"),
    "passes": ("证数", "Passes"),
    "uncertainty": ("时钟误差毫秒", "Clock uncertainty ms"),
    "unsent": ("待上传", "Not yet sent"),
    "journal": ("记录", "Journal"),
    "in_memory": ("内存中的记录", "Events in memory"),
    "rtc": ("硬件时钟", "Hardware clock"),
    "rtc_none": ("没有，或不知道时间", "none, or it knows no time"),
    "rtc_unproven": ("还没和中心核对过", "not compared with the centre"),
    "rtc_proven": ("和中心一致", "agrees with the centre"),
    "supply": ("电源", "Power supply"),
    "supply_low": ("电压低", "undervoltage"),
    "heat": ("处理器温度", "Processor temperature"),
    "disk_errors": ("文件系统错误数", "File system errors"),
    "card_used": ("存储寿命已用", "Storage life used"),
    "disk_free": ("存储剩余", "Storage free"),
    "memory_free": ("内存剩余", "RAM free"),
    "load": ("系统负载", "Load"),
    "faults": ("故障码", "Fault codes"),
    "run": ("本次启动", "This run"),
    "on": ("开", "on"),
    "off": ("关", "off"),
    "good": ("正常", "good"),
    "bad": ("故障", "fault"),
    "never": ("从未", "never"),
    "unknown": ("未知", "unknown"),
    "seen_ago": ("{age}前", "{age} ago"),
    "list_fresh": ("新", "fresh"),
    "list_stale": ("旧", "stale"),
    "list_expired": ("过期", "expired"),
    "list_none": ("无", "none"),
    "clock_trusted": ("可信", "trusted"),
    "clock_holdover": ("守时", "holdover"),
    "clock_untrusted": ("不可信", "untrusted"),
    "age_seconds": ("{n}秒", "{n} s"),
    "age_minutes": ("{n}分钟", "{n} min"),
    "age_hours": ("{n}小时", "{n} h"),
    "age_days": ("{n}天", "{n} days"),
    "other_language": ("EN", "中文"),
    "keys": ("按键 O 开门，R 不放行", "Keys: O open, R refuse"),
}


LANE: dict[str, Public] = {
    "ready": Public(("请出示出入证", "Show your pass here"), ("放平 · 靠近 · 调亮", "Flat · close · bright")),
    "open": Public(("门开着，请通行", "The gate is open"), ("请慢行", "Please go slowly")),
    "closed": Public(("暂停通行", "Closed for the moment"), ("请听工作人员安排", "Please follow the staff")),
    "fault": Public(("本门暂停识别", "Reading is down here"), ("请找保安", "Please see the guard")),
}
"""What the lane's screen says when it shows no result."""

CALLED: dict[str, Public] = {
    "waiting": Public(("已呼叫值班室", "The guard is called"), ("请稍等", "Please wait a moment")),
    "answered": Public(("保安马上就来", "A guard is coming"), ("请在这里稍等", "Please wait here")),
    "nobody": Public(
        ("值班室暂时没人", "Nobody is at the post now"),
        ("铃还在响；有急事请打电话", "It still rings; if urgent, please phone"),
    ),
}
"""What the lane's screen says after a press of the call button."""

HINTS: dict[str, Public] = {
    "closer": Public(("靠近一点", "A little closer"), ("把二维码移近镜头", "Move the code towards the camera")),
    "further": Public(
        ("拿远一点", "A little further away"), ("整个二维码要让镜头看得到", "The camera must see the whole code")
    ),
    "flatter": Public(("放平", "Hold it flat"), ("正对镜头，不要倾斜", "Facing the camera, not tilted")),
    "brighter": Public(
        ("把屏幕调亮", "Make the screen brighter"), ("纸质证请拿到亮处", "A card: hold it in the light")
    ),
    "glare": Public(("避开反光", "Avoid the reflection"), ("稍微转一下角度", "Turn it a little")),
    "still": Public(("拿稳不动", "Hold still"), ("停一秒就好", "One second is enough")),
}
"""What the one whose code is not read could do: the lane's screen, for :class:`hardware.Hint`."""

GUARD_HINTS: dict[str, Pair] = {
    "closer": ("码拿得太远：请对方靠近一点。", "The code is too far away: a little closer, please."),
    "further": ("码离镜头太近：请对方拿远一点。", "The code is too near: a little further away, please."),
    "flatter": ("码拿斜了：请对方放平，正对镜头。", "The code is tilted: hold it flat, facing the camera."),
    "brighter": (
        "码太暗：请对方把屏幕调亮，纸质证拿到亮处。",
        "The code is too dark: a brighter screen; a card into the light.",
    ),
    "glare": ("码上有反光：请对方转一下角度。", "There is a reflection on the code: turn it a little."),
    "still": ("码一直在动：请对方拿稳一秒。", "The code moves: hold it still for a second."),
}
"""Hints for the guard, who may say them aloud."""

NO_PASS: dict[str, Public] = {
    "form": Public(
        ("还没有出入证？", "No pass yet?"),
        ("扫码填写；今天请找保安登记", "Scan to apply; for today the guard registers you"),
    ),
    "guard": Public(("没有出入证？", "No pass?"), ("今天请找保安登记", "For today the guard registers you")),
}
"""Beside the lane that is ready, for people with nothing to show."""

SCREEN: dict[str, Pair] = {
    "label": ("{label}，{line}", "{line}, {label}"),
    "guided": ("提醒：{headline}。{line}", "{headline}. {line}"),
    "neighbour": ("{line}，或走{neighbour}", "{line}, or {neighbour}"),
    "stale": ("名单是{age}前的，照常验证", "List of {age} ago, still deciding"),
    "no_list": ("本门的名单还没到", "This gate has no list yet"),
    "demo": ("演示", "Demo"),
}


def say(language: str, pair: Pair, **facts: object) -> str:
    """The pair's sentence in ``language`` (``zh`` unless ``en``), with ``{facts}`` filled in."""
    sentence = pair[1] if language == "en" else pair[0]
    return sentence.format(**facts) if facts else sentence


def word(language: str, key: str, **facts: object) -> str:
    """An entry of :data:`WORDS`. A key that is not there is a programming error and raises KeyError."""
    return say(language, WORDS[key], **facts)


def code(language: str, table: dict[str, Pair], name: str) -> str:
    """The sentence of a code that came from another process; a newer code than ours is shown as it is."""
    return say(language, table[name]) if name in table else name

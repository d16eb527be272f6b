"""What the residents' form, letter and poster say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

_ENTRY: Mapping[str, Pair] = {
    "entry_title": ("办理出入证", "Apply for your pass"),
    "entry_what_1": (
        "疫情期间，进出小区凭出入证，一人一证。一户填一张表，大约8分钟。",
        "While the measure lasts, everybody shows a pass at the gates, one person one pass. One form for each "
        "household, "
        "about 8 minutes.",
    ),
    "entry_what_2": (
        "填好后您会得到一个编号和领证时间，物业核对后，按时来领证，家人可代领。",
        "You then get a number and a time; the office checks your form, and you collect the passes at that time. "
        "One of the "
        "family may collect for all.",
    ),
    "entry_what_3": (
        "不用注册，不用下载。填到一半可以关掉，回来接着填。",
        "No account and nothing to install. You can close the page half-way and go on later.",
    ),
    "entry_start": ("开始填写", "Start"),
    "entry_another": ("给另一户填写", "Apply for another household"),
    "entry_need": ("请准备好每个人的身份证件。", "Please have everybody's identity document at hand."),
    "entry_draft": ("您有一张没填完的表。", "You have a form that is not finished."),
    "entry_correction": ("您正在更正已提交的表。", "You are correcting the form you submitted."),
    "entry_saved": ("保存于", "Saved"),
    "entry_go_on": ("接着填", "Go on with it"),
    "entry_delete": ("删除草稿", "Delete my draft"),
    "entry_delete_sure": ("删除后找不回来。", "It cannot be brought back."),
    "entry_forgotten": ("已从这台手机上删除。", "Removed from this phone."),
    "entry_applied": ("您已提交申请。", "You have applied."),
    "entry_number": ("看编号和领证时间", "My number and time"),
    "entry_state": ("已提交过：用编号和手机号查状态", "I have applied: my number and phone"),
    "entry_paper": (
        "不方便用手机？到物业领纸质表，工作人员帮您录入。",
        "No phone at hand? Ask the property office for the form on paper; staff will enter it for you.",
    ),
    "error_to_entry": ("回到小区首页", "To the compound's first page"),
    "error_scan": ("请重新扫小区的二维码。", "Please scan the compound's code again."),
}
_PRIVACY: Mapping[str, Pair] = {
    "privacy_title": ("您的信息怎么用", "What happens to what you write"),
    "privacy_purpose": ("用来做什么", "What it is for"),
    "privacy_purpose_short": ("只用于疫情防控中的出入管理。", "Only for who may enter during the epidemic measure."),
    "privacy_purpose_long": (
        "只用于疫情防控期间核对谁住在本小区、发放出入证、联系您领证。不作其他用途，不用于商业。",
        "To check who lives in this compound during the epidemic, to issue passes, and to reach you about collecting "
        "them. For nothing else, and never for business.",
    ),
    "privacy_what": ("收集哪些", "What we ask"),
    "privacy_what_long": (
        "住址、姓名、证件号、手机号、户籍地、来本地的时间和方式、近15天去过的地方、健康情况、车牌、承诺书签名。"
        "每一项旁边写着为什么要填。为防有人批量占号，审核前还留着浏览器和网络的加密记号。",
        "Dwelling, name, document number, mobile, registered residence, when and how you arrived, places of the "
        "last 15 "
        "days, health, number plate, and your signature. Beside each stands why we ask. Against forms sent in bulk, an "
        "encrypted mark of browser and network is kept until the office has looked.",
    ),
    "privacy_who": ("谁能看到", "Who sees it"),
    "privacy_who_short": (
        "本小区物业。证件号和手机号平时只显示头尾。",
        "This compound's property office. Numbers of documents and phones are shown masked.",
    ),
    "privacy_who_long": (
        "只有本小区的物业工作人员能看到您的表；证件号和手机号加密保存，平时只显示头尾。谁打开过完整号码，"
        "都会记录，您可以在自己的页面上查到。街道和社区只看到数字，看不到个人。",
        "Only staff of this compound's property office. Numbers are kept encrypted and shown masked. Whoever "
        "opens a full "
        "number is recorded, and you see it on your own page. Community and town see figures, no persons.",
    ),
    "privacy_gates": ("门口看到什么", "What the gates see"),
    "privacy_gates_long": (
        "门口的设备只有您的姓、房号、证的类别、车牌和编号，没有全名、证件号和手机号。",
        "Gates hold your surname, dwelling, kind of pass, plate and number: no full name, no document, no phone "
        "number.",
    ),
    "privacy_until": ("保存到什么时候", "Kept until"),
    "privacy_until_day": (
        "防控措施到{day}结束，之后{n}天内删除。",
        "The measure ends on {day}; within {n} days after that it is deleted.",
    ),
    "privacy_until_open": (
        "防控措施结束后{n}天内删除；结束日期定下来会写在这里。",
        "Deleted within {n} days after the measure ends; the day will stand here as soon as it is known.",
    ),
    "privacy_until_long": (
        "没提交的草稿您随时可以自己删除。到期的由系统删除，并留下证明，写明删了多少条。",
        "You can delete a draft yourself at any time. What is due is deleted by the system, which leaves a "
        "certificate of "
        "how much was deleted.",
    ),
    "privacy_rights": ("您的权利", "Your rights"),
    "privacy_rights_short": (
        "可以查看、更正、撤回，查看谁打开过您的记录。",
        "You may see, correct and withdraw it, and see who opened your record.",
    ),
    "privacy_rights_long": (
        "提交后，您在自己的页面上可以查看、更正、撤回申请，查看自己的出入记录和谁打开过您的记录。有疑问或投诉，"
        "请到物业或社区。",
        "After submitting, your own page lets you see, correct and withdraw your application, see your own "
        "passages and who "
        "opened your record. Questions and complaints: at the property office or the community.",
    ),
    "privacy_voluntary": ("不填会怎样", "If you do not fill it in"),
    "privacy_voluntary_long": (
        "不填表也可以回家：请在门口找保安登记。也可以填纸质表。",
        "You can still come home: the guard at the gate registers you. There is a form on paper, too.",
    ),
    "privacy_whole": ("看全文", "Read all of it"),
}
_STEPS: Mapping[str, Pair] = {
    "form_progress": ("填写进度", "Progress"),
    "form_step.1": ("住哪里、您是谁", "Where and who"),
    "form_step.2": ("户籍和来本地", "Residence and arrival"),
    "form_step.3": ("行程和健康", "Travel and health"),
    "form_step.4": ("家人和车辆", "Family and vehicles"),
    "form_step.5": ("承诺书和领证时间", "Commitment and time"),
    "form_next": ("下一步", "Next"),
    "form_before": ("上一步", "Back"),
    "form_save": ("保存并回到核对", "Save, and back to the review"),
    "form_save_person": ("保存这个人", "Save this person"),
    "form_kept": ("每一步都会保存，关掉页面也不会丢。", "Each step is saved; closing the page loses nothing."),
    "form_colon": ("：", ": "),
    "form_mistakes": ("还有几处要看一下", "Please look at these"),
    "form_expired_kept": (
        "您填的都还在下面，请再按一次按钮。",
        "What you wrote is still here: please press the button once more.",
    ),
    "form_why": ("为什么要填", "Why we ask"),
    "form_choose": ("请选择", "Please choose"),
    "form_change": ("修改", "Change"),
    "form_none": ("没有", "None"),
    "form_remove_row": ("去掉这一行", "Remove this row"),
    "form_where": ("住在哪里", "Where you live"),
    "form_dwelling": ("房号", "Dwelling"),
    "form_building": ("楼栋", "Building"),
    "form_unit": ("单元", "Unit"),
    "form_room": ("房间", "Room"),
    "form_narrow": ("选好了，显示下一级", "Chosen: show what is in it"),
    "form_not_listed": ("列表里没有我的房间", "My room is not in the list"),
    "form_room_words": ("写下楼栋、单元、房号", "Building, unit and room"),
    "form_room_hint": ("如3栋2单元501", "Like 3-2-501"),
    "form_who": ("申请人", "Who applies"),
    "form_who_hint": (
        "一户由一位成年人填写，家人在第4步添加。",
        "One adult applies for all; the others come in step 4.",
    ),
    "form_you": ("申请人", "Applies"),
    "form_name": ("姓名", "Name"),
    "form_name_hint": ("与证件一致", "As on the document"),
    "form_no_name": ("（没有姓名）", "(no name)"),
    "form_doc_kind": ("证件类型", "Document"),
    "form_doc.id_card": ("居民身份证", "Mainland ID card"),
    "form_doc.hk_macau": ("港澳居民证件", "Travel or residence permit, Hong Kong and Macao"),
    "form_doc.taiwan": ("台湾居民证件", "Travel or residence permit, Taiwan"),
    "form_doc.passport": ("护照", "Passport"),
    "form_doc.none": ("新生儿，还没有证件", "Newborn without a document"),
    "form_doc_number": ("证件号码", "Document number"),
    "form_why_document": (
        "用来确认一人一证、没有重复。加密保存，平时只显示头尾；门口看不到。",
        "So that nobody has two passes. It is kept encrypted, shown masked, and gates never see it.",
    ),
    "form_unless_id_card": ("有身份证的不用填下面两项。", "Not needed with a mainland ID card."),
    "form_check_number": ("号码好像不对，请对照证件。", "This number seems wrong; please compare it with the card."),
    "form_sex": ("性别", "Sex"),
    "form_sex.m": ("男", "Male"),
    "form_sex.f": ("女", "Female"),
    "form_birth": ("出生日期", "Born"),
    "form_day_hint": ("如19800102", "Like 1980-01-02"),
    "form_relation": ("您是", "You are"),
    "form_relation_other": ("与这套房的关系", "Relation to the dwelling"),
    "form_relation.owner": ("业主", "Owner"),
    "form_relation.tenant": ("租户", "Tenant"),
    "form_relation.family": ("家属", "Family"),
    "form_relation.other": ("其他", "Other"),
    "form_phone": ("手机号", "Mobile number"),
    "form_phone_other": ("手机号（没有可不填）", "Mobile number, if any"),
    "form_phone_hint": ("11位；境外写+和国家码", "11 digits; from abroad with + and country code"),
    "form_why_phone": (
        "有要更正的，或领证时间有变，我们用它联系您。用编号和它可以查状态。",
        "To reach you if something is to be corrected or the time changes. With your number it shows you the state.",
    ),
    "form_residence": ("户籍地", "Registered residence"),
    "form_province": ("省份", "Province"),
    "form_province_hint": ("境外写国家或地区", "From abroad: country or region"),
    "form_city": ("市", "City"),
    "form_city_hint": ("直辖市写区", "A district, in a municipality"),
    "form_why_residence": (
        "街道用它统计本地和外地户籍各有多少人。户籍地不会影响您领证。",
        "The town counts how many are registered here and elsewhere. It never decides about your pass.",
    ),
    "form_same_residence": ("与申请人相同", "The same as who applies"),
    "form_arrival": ("来本地", "Coming to this town"),
    "form_travelled": (
        "与申请人一起来，近15天行程也相同",
        "Came with who applies, and was in the same places in the last 15 days",
    ),
    "form_arrived": ("最近一次到本地的日期", "Day of the latest arrival in this town"),
    "form_arrived_hint": ("如20260115；记不清写大概", "Like 2026-01-15; roughly, if long ago"),
    "form_came_from": ("从哪里来", "Where from"),
    "form_came_from_hint": ("省市；一直在本地写“本地”", "Province and city; “here” if always here"),
    "form_transport": ("怎么来的", "How"),
    "form_transport.train": ("火车", "Train"),
    "form_transport.plane": ("飞机", "Plane"),
    "form_transport.coach": ("长途汽车", "Coach"),
    "form_transport.car": ("自驾", "Car"),
    "form_transport.other": ("其他", "Another way"),
    "form_transport.none": ("一直在本地", "Always here"),
    "form_transport_number": ("车次或航班", "Train or flight number"),
    "form_transport_number_hint": ("如G1234；长途汽车可不填", "Like G1234; may be empty for a coach"),
    "form_why_transport": (
        "如果同车有人确诊，可以马上通知您。",
        "If somebody on that train or flight falls ill, you can be told at once.",
    ),
}
_HEALTH: Mapping[str, Pair] = {
    "form_health_first": (
        "这一页没有预先勾选，请如实回答。",
        "Nothing on this page is ticked for you. Please answer truthfully.",
    ),
    "form_stayed": ("近15天一直在本地吗", "In this town for all of the last 15 days?"),
    "form_stayed.yes": ("是，一直在本地", "Yes, all the time"),
    "form_stayed.no": ("不是，去过别处", "No, elsewhere too"),
    "form_why_travel": (
        "只用来和镇里公布的疫区名单核对。去过不等于不能领证。",
        "It is compared with the town's published list of epidemic areas. Having been there does not mean no pass.",
    ),
    "form_journeys": ("去过的地方", "Where else"),
    "form_journeys_hint": ("一地一行，", "One row a place,"),
    "form_district": ("区县（可不填）", "District, if known"),
    "form_from_day": ("从", "From"),
    "form_until_day": ("到", "Until"),
    "form_add_place": ("再加一个地方", "Another place"),
    "form_contact": ("接触过病人或疫区来的人吗", "Contact with a patient, or with somebody from an epidemic area?"),
    "form_contact_hint": ("近15天内，就您所知", "In the last 15 days, as far as you know"),
    "form_contact.no": ("没有", "No"),
    "form_contact.yes": ("有", "Yes"),
    "form_why_contact": (
        "回答“有”不会被拒绝，物业会电话联系您，说明接下来怎么办。",
        "“Yes” is no refusal: the office will phone you and say what comes next.",
    ),
    "form_health": ("今天身体怎么样", "How are you today?"),
    "form_health.well": ("没有不舒服", "Well"),
    "form_health.fever": ("发热（37.3℃以上）", "Fever (37.3 °C or more)"),
    "form_health.cough": ("咳嗽、乏力", "Cough, tired"),
    "form_health.other": ("其他不舒服", "Something else"),
    "form_why_health": (
        "为了您和邻居的安全。门口看不到这一项。发热请先就医，证可由家人代领。",
        "For your safety and your neighbours'. Gates never see it. With a fever see a doctor first; family may "
        "collect.",
    ),
    "form_quarantine": ("现在在居家观察吗", "In home quarantine now?"),
    "form_quarantine_hint": ("接到通知在家不外出的", "If you were told to stay at home"),
    "form_quarantine.no": ("没有", "No"),
    "form_quarantine.yes": ("在居家观察", "Yes"),
}
_FAMILY: Mapping[str, Pair] = {
    "form_people": ("住在一起的人", "Who lives here"),
    "form_people_hint": (
        "老人、孩子、保姆都要添加，一人一证。",
        "Add old people, children and household staff, too: one person, one pass.",
    ),
    "form_people_full": (
        "一张表最多12人，更多请到物业。",
        "A form has room for 12; for more, see the property office.",
    ),
    "form_add_person": ("添加一个人", "Add a person"),
    "form_another": ("添加一个人", "One more person"),
    "form_incomplete": ("还没填完整", "Not complete yet"),
    "form_remove_person": ("去掉这个人", "Remove this person"),
    "form_remove_sure": ("确定去掉", "Yes, remove"),
    "form_kind": ("这个人是", "This person"),
    "form_kind.resident": ("住户", "Lives here"),
    "form_kind.household_staff": ("保姆、护工等家政人员", "Works for the household"),
    "form_plates": ("车辆", "Vehicles"),
    "form_plates_hint": ("没有就不填，最多4辆", "Leave empty if none; at most 4"),
    "form_plate.1": ("车牌1", "Plate 1"),
    "form_plate.2": ("车牌2", "Plate 2"),
    "form_plate.3": ("车牌3", "Plate 3"),
    "form_plate.4": ("车牌4", "Plate 4"),
    "form_why_plates": (
        "每辆车发一张车证。如粤B12345，新能源8位如粤BD12345。",
        "Each vehicle gets a pass. Like 粤B12345, or 粤BD12345 with eight characters for new energy.",
    ),
}
_LAST: Mapping[str, Pair] = {
    "form_review": ("核对一遍", "Check everything"),
    "form_review_hint": ("提交前请看一遍，有错点“修改”。", "Please read it once; “Change” leads to what is wrong."),
    "form_review_right": ("都对，去签名", "All is right: go on to sign"),
    "form_short.arrived": ("到本地", "Arrived"),
    "form_short.transport": ("交通", "Transport"),
    "form_short.stayed": ("近15天", "Last 15 days"),
    "form_short.contact": ("接触史", "Contact"),
    "form_short.health": ("今天健康", "Health today"),
    "form_short.quarantine": ("居家观察", "Quarantine"),
    "form_letter": ("承诺书", "Letter of commitment"),
    "form_letter_name": ("承诺人姓名", "Name of who signs"),
    "form_signature": ("签名", "Signature"),
    "form_signature_hint": ("用手指或鼠标写在框里", "Write in the box with a finger or the mouse"),
    "form_signature_script": (
        "这个浏览器不能手写签名，请勾选下面一项。",
        "This browser cannot take a drawn signature; please tick the next line.",
    ),
    "form_sign_at_desk": ("不方便在屏幕上签，领证时在纸上签", "I cannot sign on a screen: I sign on paper at the desk"),
    "form_undo": ("撤一笔", "Undo"),
    "form_clear": ("重写", "Clear"),
    "form_slot": ("领证时间", "When to collect"),
    "form_slot_hint": (
        "已为您选了人少的时间，可以改。全家一起，来一个人就行。",
        "A quiet time is chosen for you; you may choose another. One person collects for all.",
    ),
    "form_slot_free": ("有{n}个时间", "{n} times"),
    "form_slot_none": (
        "现在没有可选的时间。请照样提交，时间定下来会写在您的页面上，物业也会通知。",
        "There is no time to choose now. Please submit all the same: the time will be on your page, and the office "
        "will tell you.",
    ),
    "form_slot_later": ("时间另行通知", "The time will be told"),
    "form_slot_needless": ("不用约时间", "No time needed"),
    "form_weekday.1": ("周一", "Mon"),
    "form_weekday.2": ("周二", "Tue"),
    "form_weekday.3": ("周三", "Wed"),
    "form_weekday.4": ("周四", "Thu"),
    "form_weekday.5": ("周五", "Fri"),
    "form_weekday.6": ("周六", "Sat"),
    "form_weekday.7": ("周日", "Sun"),
    "form_submit": ("签好了，提交", "Signed: submit"),
    "form_done": ("已提交，不用再填。", "Submitted. There is nothing more to fill in."),
    "form_done_save": ("长按下面的图，保存到手机。", "Press and hold the picture to save it to your phone."),
    "form_done_number": ("编号", "Your number"),
    "form_done_slot": ("领证时间", "Collect your passes"),
    "form_done_code": ("扫码打开您的页面", "This code opens your page"),
    "form_done_bring": (
        "请带好每个人的证件，来一个人就行。",
        "Bring everybody's document; one person may come for all.",
    ),
    "form_done_sign": ("承诺书在领证时签。", "The letter is signed when you collect."),
    "form_done_page": ("您的页面", "Your page"),
    "form_done_page_hint": (
        "在这里看进度、更正、改约、挂失。请收藏，不要发给别人。",
        "See the state, correct, change the time, report a loss. Keep the address, and keep it to yourself.",
    ),
    "form_open_page": ("打开我的页面", "Open my page"),
    "form_done_next": ("接下来", "What comes next"),
    "form_done_next_1": (
        "物业核对，有要更正的会联系您。",
        "The office checks your form, and calls you if something is to be corrected.",
    ),
    "form_done_next_2": (
        "到时间去领证，没核对完的当场办。",
        "Come at your time; what is not checked by then is checked on the spot.",
    ),
    "form_done_next_3": (
        "领到后在门口出示。之前请找保安登记进出。",
        "Then show your pass at the gate. Until then the guard registers you.",
    ),
    "form_shared_phone": ("这不是我的手机", "This is not my phone"),
    "form_shared_phone_hint": (
        "按下面的按钮，这台手机就不再记得这份申请。请先记下编号。",
        "The button makes this phone forget the application. Please note the number first.",
    ),
    "form_forget": ("在这台手机上忘掉", "Forget it on this phone"),
    "found_number": ("编号", "Number"),
    "found_number_hint": ("如{id}-H00123", "Like {id}-H00123"),
    "found_whose": ("请先填申请时的手机号", "First the phone number of the application"),
    "found_whose_why": (
        "表里有完整的证件号。知道这个手机号的人才能打开。",
        "The form holds whole document numbers. It opens for whoever knows this number.",
    ),
    "found_other_phone": ("不是申请时填的手机号。", "This is not the number of the application."),
    "found_ask": ("查询", "Look up"),
    "found_nothing": (
        "编号和手机号对不上。请核对提交时填的手机号，或到物业查询。",
        "Number and phone do not belong together. Check the phone number you applied with, or ask the property office.",
    ),
    "found_only": (
        "这里只显示状态。更正、改约、挂失请用提交后保存的页面。",
        "This shows the state only. To correct, change the time or report a loss, use the page you saved.",
    ),
    "found_state.applied": ("已提交，正在核对", "Submitted, being checked"),
    "found_state.correct": ("请更正", "Please correct something"),
    "found_state.observe": ("暂不能领证，不是拒绝", "Not yet, and not a refusal"),
    "found_state.approved": ("已通过，请来领证", "Approved, please collect"),
    "found_state.collected": ("已领证", "Collected"),
    "found_state.not_here": ("登记显示您不住在这里", "The register says you do not live here"),
    "found_state.cancelled": ("已取消", "Cancelled"),
    "found_state.moved": ("已登记搬离", "Moved away"),
    "form_call": ("有事打物业电话", "Questions? Call the office:"),
    "found_next.applied": ("到领证时间来就行。", "Just come at your time."),
    "found_next.correct": (
        "打开您的页面看要改什么，或打电话给物业。",
        "Your page says what; or phone the property office.",
    ),
    "found_next.observe": ("日期和联系人写在您的页面上。", "The day, and whom to call, stand on your page."),
    "found_next.approved": ("带身份证到物业，家人可代领。", "Bring ID to the property office; family may collect."),
    "found_next.collected": ("在门口出示即可。", "Show the pass at the gate."),
    "found_next.not_here": (
        "有异议请在您的页面提出，或带证明到物业。",
        "You can object on your page, or bring proof to the property office.",
    ),
    "found_next.cancelled": ("可以重新填写。", "You may apply again."),
    "found_next.moved": ("旧证已停用。", "The old passes no longer work."),
}
_LETTER: Mapping[str, Pair] = {
    "letter.2026-11.0": ("疫情防控承诺书", "Letter of commitment"),
    "letter.2026-11.1": (
        "一、我填写的内容真实、完整，包括家人的情况。",
        "1. What I have written is true and complete, for my family, too.",
    ),
    "letter.2026-11.2": (
        "二、出入证一人一证，不转借、不涂改，丢了马上挂失。",
        "2. One person, one pass. I do not lend or change it, and I report a loss at once.",
    ),
    "letter.2026-11.3": (
        "三、家里有人发热、咳嗽，去过疫区，接触过病人，或者住的人有变化，我当天告诉物业。",
        "3. If somebody at home has a fever or a cough, was in an epidemic area, met a patient, or if who lives here "
        "changes, I tell the property office the same day.",
    ),
    "letter.2026-11.4": (
        "四、领证和进出时戴口罩、保持距离、按时间来。",
        "4. When collecting and at the gates I wear a mask, keep my distance and come at my time.",
    ),
    "letter.2026-11.5": (
        "五、同意在门口测体温、核对证件；需要居家观察时，在家不外出。",
        "5. I agree to temperature and pass checks at the gates, and I stay at home when home quarantine is needed.",
    ),
    "letter.2026-11.6": (
        "六、我知道填写的信息只用于疫情防控，措施结束后删除，我可以随时查看和更正。",
        "6. I know that what I wrote is used for the epidemic measure only, is deleted after it ends, and that I "
        "may see "
        "and correct it.",
    ),
}
_POSTER: Mapping[str, Pair] = {
    "poster_menu": ("海报", "Poster"),
    "poster_title": ("海报和通知", "Poster and notices"),
    "poster_tab": ("海报", "Poster"),
    "poster_tab_paper": ("纸质表和承诺书", "Form on paper, letter"),
    "poster_tab_texts": ("群通知", "Texts for groups"),
    "poster_tab_slips": ("门上贴条", "Door slips"),
    "poster_leads": ("二维码打开：", "The code leads to:"),
    "poster_no_address": (
        "镇里还没有设置居民用的网址，所以没有海报、文字和小条可印。请镇级账号在“全镇设置”里填上。",
        "The town has not set the address residents use, so there is no poster, text or slip to print. An account of "
        "the town sets it in Town settings.",
    ),
    "poster_not_fixed": (
        "镇里还没有设置居民用的网址，这里的地址只有本机能打开，不要印。",
        "The town has not set the address residents use. This one opens on this machine only: do not print it.",
    ),
    "poster_print_hint": ("A4，用浏览器的“打印”，不缩放。", "A4: print with the browser, without scaling."),
    "poster_call": ("扫码办理出入证", "Scan to apply for your pass"),
    "poster_step.1": ("扫码填表签名", "Scan, fill in, sign"),
    "poster_step.2": ("物业核对", "The office checks"),
    "poster_step.3": ("按约定时间领证", "Collect at your time"),
    "poster_no_phone": ("没有手机？到物业领纸质表。", "No phone? Ask the property office for a paper form."),
    "poster_today": (
        "还没有证？今天进出请找保安登记。",
        "No pass yet? For today the guard registers you.",
    ),
    "poster_texts_hint": ("点一下选中，复制到业主群。", "Tap to select, then copy it to the owners' group."),
    "poster_text_first_title": ("开始办理", "Applications begin"),
    "poster_text_first": (
        "【{name}】出入证开始办理，一户填一张表，约8分钟：{address}\n填好选时间，按时到物业领证，一人来就行。"
        "没有手机的邻居请到物业领纸质表。",
        "[{name}] You can now apply for passes, one form for each household, about 8 minutes: {address}\nChoose a "
        "time and "
        "collect at the property office; one person may come for all. Neighbours without a phone: a form on paper "
        "is there.",
    ),
    "poster_text_again_title": ("提醒没填的", "Reminder"),
    "poster_text_again": (
        "【{name}】还没办出入证的邻居请尽快填写：{address}\n填到一半的可以接着填。老人孩子也要添加，一人一证。",
        "[{name}] If you have not applied for passes yet, please do: {address}\nA form you began is still there. "
        "Add old "
        "people and children, too: one person, one pass.",
    ),
    "poster_text_collect_title": ("提醒领证", "Time to collect"),
    "poster_text_collect": (
        "【{name}】请按约定时间领证，带全家证件，戴口罩、隔开一米。忘了时间，用填表的手机打开：{address}",
        "[{name}] Please collect your passes at your time, with everybody's documents, a mask on and a metre "
        "apart. Forgot "
        "the time? Open this on the phone you applied with: {address}",
    ),
    "poster_slips_hint": (
        "每个还没申请的房间一张，空置、不住、搬走的不印。选楼栋：",
        "One for each dwelling that has not applied; vacant, not living here and moved are left out. Choose a "
        "building:",
    ),
    "poster_slips_count": ("{n}张，{sheets}页。", "{n} slips on {sheets} sheets."),
    "poster_no_register": ("还没有房屋登记表。", "There is no dwelling register yet."),
    "poster_slip": (
        "您家还没有登记出入证。请扫码填写，约8分钟。",
        "Your home has not applied for passes yet. Please scan and fill in the form, about 8 minutes.",
    ),
    "poster_paper_title": ("出入证申请表", "Application for passes"),
    "poster_paper_sex_birth": ("性别、出生日期（有身份证不填）", "Sex, born (not with a mainland ID card)"),
    "poster_paper_family": ("家人、家政人员", "Family, household staff"),
    "poster_doc.id_card": ("身份证", "ID card"),
    "poster_doc.hk_macau": ("港澳", "HK, Macao"),
    "poster_doc.taiwan": ("台湾", "Taiwan"),
    "poster_doc.passport": ("护照", "Passport"),
    "poster_paper_more": ("更多家人请另用一张。", "For more people use another sheet."),
    "poster_paper_day": ("日期", "Date"),
    "poster_paper_privacy": (
        "以上信息只用于疫情防控中的出入管理，措施结束后按公布的期限删除，您可以查看和更正。",
        "Used only for who may enter during the epidemic measure, deleted after its end as published; you may see "
        "and correct "
        "it.",
    ),
    "poster_paper_give": (
        "填好交到物业，工作人员录入后给您编号和领证时间。",
        "Hand it in at the property office: staff enter it and give you a number and a time.",
    ),
}

WORDS: Mapping[str, Pair] = {
    **_ENTRY, **_PRIVACY, **_STEPS, **_HEALTH, **_FAMILY, **_LAST, **_LETTER, **_POSTER
}  # fmt: skip

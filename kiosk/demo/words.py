"""What the demo's page says, in both languages: (Chinese, English)."""

from __future__ import annotations

from collections.abc import Mapping

Pair = tuple[str, str]
LANGUAGES = ("zh", "en")

PAGE: Mapping[str, Pair] = {
    "title": ("演示", "Demo"),
    "compound": ("幸福里", "Xingfu Li"),
    "heading": ("一个小区，六扇门", "One compound, six doors"),
    "lead": (
        "这台电脑上有一个出入证中心和一个门口。您可以做任何一个人，门后就是他的页面。",
        "This computer runs a pass centre and a gate. Be any of these people: behind each door are their pages.",
    ),
    "made_up": (
        "人和证都是虚构的；摄像头、道闸和灯是模拟的。",
        "All people and passes are made up. Cameras, barriers and lights are simulated.",
    ),
    "order": (
        "从头走一遍：居民填表，物业审核，领证台交证，保安放行，镇里看数字。",
        "The whole way: a resident applies, the manager approves, the clerk hands over, the guard lets in, "
        "the town counts.",
    ),
    "one_person": (
        "物业、领证台、镇里在一个浏览器里只能做一个人：打开另一扇门就换人，要同时做两个人请用无痕窗口。",
        "Manager, clerk and town: one browser is one of them, and another door changes who you are. "
        "For two at once, use a private window.",
    ),
    "new_tab": ("在新标签页打开", "opens in a new tab"),
    "try": ("试一试", "Try this"),
    "no_sign_in": ("不用登录", "No sign-in"),
    "signed_in": ("打开就已登录：{name}", "The door signs you in as {name}"),
    "name": ("姓名", "Name"),
    "pin": ("密码", "PIN"),
    "end": ("在终端按 Ctrl-C 结束演示。", "Ctrl-C in the terminal ends the demo."),
    "logs": ("日志：", "Logs: "),
    "away": (
        "这扇门现在打不开：中心没有回应。请过一会儿再点；还不行，请在终端重新启动演示。",
        "This door does not open: the centre does not answer. Try again in a moment; if that fails, "
        "start the demo again in the terminal.",
    ),
    "away_title": ("暂时打不开", "Not open now"),
    "back": ("回到六扇门", "Back to the six doors"),
    "other_language": ("English", "中文"),
}

DOORS: Mapping[str, Pair] = {
    "resident": ("居民的手机", "Resident’s phone"),
    "screen": ("通道屏幕", "Lane screen"),
    "guard": ("保安", "Guard"),
    "property": ("物业经理", "Property manager"),
    "clerk": ("领证台", "Collection desk clerk"),
    "town": ("镇里", "Town"),
}

OPEN: Mapping[str, Pair] = {
    "resident": ("填写申请", "Fill in the form"),
    "entry": ("打开入口屏幕", "Open the entry screen"),
    "exit": ("打开出口屏幕", "Open the exit screen"),
    "guard": ("打开值班台", "Open the guard post"),
    "property": ("打开审核", "Open the review"),
    "clerk": ("打开领证台", "Open the collection desk"),
    "town": ("打开各小区情况", "Open the town’s numbers"),
}

OTHER_HOST: Pair = (
    "演示页只用 http://127.0.0.1 打开。",
    "This page opens at http://127.0.0.1 only.",
)

TRY: Mapping[str, tuple[Pair, Pair, Pair]] = {
    "resident": (
        (
            "替一户人家填表，如1号楼1单元101室。海报上的二维码就到这里。",
            "Apply for building 1, unit 1, room 101, or another. The code on the poster leads here.",
        ),
        (
            "身份证号可填国家标准里的示例 11010519491231002X，手机号填 13800138000。",
            "As ID number take the national standard’s example, 11010519491231002X; as phone 13800138000.",
        ),
        (
            "提交后点“打开我的页面”；物业审核后，结果就在那里。",
            "After you submit, choose Open my page. Once the manager has decided, it shows the result.",
        ),
    ),
    "screen": (
        (
            "放在值班台旁边：通道里的人看到的就是它。",
            "Put it beside the guard post: this is what people in the lane see.",
        ),
        (
            "在值班台出示演示证，屏幕变绿、变黄或变红。",
            "Present a demo pass at the guard post: the screen turns green, yellow or red.",
        ),
        (
            "通行后，屏幕自己回到待机。",
            "After the passage it goes back to ready by itself.",
        ),
    ),
    "guard": (
        (
            "点“出示”，选一张演示证，或上传一张二维码照片。",
            "Choose Present, then a demo pass, or upload a photo of a QR code.",
        ),
        (
            "马上再出示住户卡是重复；过10秒再出示会变黄，由您决定。",
            "Present the resident’s card again: at once it repeats, after 10 seconds it is yellow and you decide.",
        ),
        (
            "第二个人是主管，能封闭门口；第三个是技术员，在“技术细节”里能看摄像头画面。",
            "The second person is the supervisor, who can lock the gate down; the third is a technician, who can look "
            "through the camera under Details.",
        ),
    ),
    "property": (
        (
            "审核：打开居民刚提交的申请，通过或请他更正。",
            "Review: open the application just sent, approve it or ask for a correction.",
        ),
        (
            "房屋：哪些住户还没有申请。",
            "Dwellings: see who has not applied yet.",
        ),
        (
            "点左上角“出入证中心”，换到另外两个小区，那里有600位虚构居民。",
            "Pass centre, top left, leads to two more compounds with 600 made-up residents.",
        ),
    ),
    "clerk": (
        (
            "领证：输入申请编号，核对后打印并交证。",
            "Collect: enter the application number, check, print and hand over.",
        ),
        (
            "纸质表录入：替没有手机的人填表。",
            "Form on paper: apply for somebody without a phone.",
        ),
        (
            "看得到申请，不能替物业通过：每个职责只做自己的事。",
            "A clerk sees applications and cannot approve them: each role does its own work.",
        ),
    ),
    "town": (
        (
            "每个小区应有多少户，已申请多少；没有一个人的名字。",
            "How many homes each compound has and how many applied, without a single name.",
        ),
        (
            "疫情地区：改一条，各小区的表就跟着变。",
            "Epidemic areas: change one, and every compound’s form follows.",
        ),
        (
            "账号：为同事开一个，得到只能用一次的链接。",
            "Accounts: make one for a colleague, and get a link that works once.",
        ),
    ),
}


def say(language: str, pair: Pair, **facts: object) -> str:
    """A sentence in one language, its braces filled in."""
    return pair[LANGUAGES.index(language)].format(**facts)

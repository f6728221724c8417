# Wraps the probe's link as Safe Links does. The texts are quoted-printable: soft line ends go, and each `=` is written so.
s#=\r?\n##g
s#https://sender\.example/mailflow/([a-z2-7]+)#https://eur02.safelinks.protection.outlook.com/?url=3Dhttps%3A%2F%2Fsender.example%2Fmailflow%2F\1\&data=3D05%7C02\&sdata=3Dx%3D\&reserved=3D0#g

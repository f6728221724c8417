# Wraps the probe's link as Safe Links does.
s#https://sender\.example/mailflow/([a-z2-7]+)#https://eur02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fsender.example%2Fmailflow%2F\1\&data=05%7C02\&sdata=x%3D\&reserved=0#g
